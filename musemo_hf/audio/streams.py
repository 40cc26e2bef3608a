"""The streams of audio that a file consists of, found in its bytes.

libsndfile reads one stream of a file, and stops where its header says. A file may hold more: mp3 files joined by `cat`,
chained Ogg, a radio's recording. Here such a file is cut into streams, and headers that may be wrong are replaced.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

CHUNK = 1 << 20
JUNK = 1 << 18  # bytes before the first frame of an mp3, such as a damaged tag
CHAIN = 4  # consecutive frames that chance does not make
MAX_STREAMS = 1000
MAX_OCCURRENCES = 10_000  # of a mark, so that a file made of marks does not take minutes
# kbit/s by (is MPEG 1, is layer III), and Hz of MPEG 2.5, reserved, MPEG 2, MPEG 1
BITRATES = {
    (True, True): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, False): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, True): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, False): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))
# what only ffmpeg decodes: (offset, bytes, name)
REFUSED = (
    (4, b"ftyp", "an MP4, M4A or MOV file"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (0, b"\xff\xf1", "an AAC stream"),
    (0, b"\xff\xf9", "an AAC stream"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"TTA1", "a True Audio file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"DSD ", "a DSD file"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"FLV\x01", "a Flash video"),
    (8, b"AVI ", "an AVI video"),
    (0, b"\x0b\x77", "an AC-3 stream"),
    (0, b"MThd", "a MIDI file, which holds notes and no sound"),
)


@dataclass(frozen=True)
class Stream:
    """One complete stream within a file.

    Attributes:
        start: The first byte.
        stop: The byte after the last.
        header: Bytes that are read before those of the file.
        declared: The number of frames that the replaced header declared; None where libsndfile says it.
        is_mpeg: Whether these are frames of MPEG audio, layer II or III.
    """

    start: int
    stop: int
    header: bytes = b""
    declared: int | None = None
    is_mpeg: bool = False


class StreamReader(io.RawIOBase):
    """Reads one stream of a file as a file of its own."""

    def __init__(self, file: BinaryIO, stream: Stream) -> None:
        super().__init__()
        self._file, self._stream, self._position = file, stream, 0
        self._size = len(stream.header) + stream.stop - stream.start

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the stream; a position outside becomes its beginning or end, since C calls this."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = min(max(base + offset, 0), self._size)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        target = memoryview(buffer).cast("B")
        n_header = len(self._stream.header)
        if self._position < n_header:
            part = self._stream.header[self._position : self._position + len(target)]
            target[: len(part)] = part
            count = len(part)
        else:
            wanted = min(len(target), self._size - self._position)
            self._file.seek(self._stream.start + self._position - n_header)
            part = self._file.read(wanted)
            target[: len(part)] = part
            count = len(part)
        self._position += count
        return count


def refused_format(file: BinaryIO) -> str | None:
    """Name the format of a file that only ffmpeg decodes; None for another file."""
    start = _after_tags(file)
    head = _read(file, start, 16)
    return next((name for offset, magic, name in REFUSED if head[offset : offset + len(magic)] == magic), None)


def find_streams(file: BinaryIO) -> list[Stream]:
    """Find the streams of a file; a format that has one stream, or is unknown, gives the whole file.

    Raises:
        ValueError: There are more than 1,000 streams.
    """
    streams = _find(file)
    if len(streams) > MAX_STREAMS:
        raise ValueError(f"expected a file of at most {MAX_STREAMS:,} joined streams, got {len(streams):,}")
    return streams


def _find(file: BinaryIO) -> list[Stream]:
    size = file.seek(0, io.SEEK_END)
    start = _after_tags(file)
    magic = _read(file, start, 4)
    if magic == b"OggS":
        return _cut(_ogg_starts(file, start, size), size)
    if magic == b"fLaC":
        return [_flac_stream(file, at, stop) for at, stop in _spans(_flac_starts(file, start), size)]
    if magic == b"RIFF":
        return _cut(_riff_starts(file, start, size), size)
    return list(_mpeg_streams(file, start, size)) or [Stream(0, size)]


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _after_tags(file: BinaryIO) -> int:
    """Return the byte after the ID3v2 tags at the beginning, which a tagger also writes before other formats."""
    start = 0
    while (head := _read(file, start, 10))[:3] == b"ID3" and len(head) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        start += 10 + size + (10 if head[5] & 0x10 else 0)
    return start


def _spans(starts: list[int], size: int) -> list[tuple[int, int]]:
    return list(zip(starts, [*starts, size][1:], strict=True))


def _cut(starts: list[int], size: int) -> list[Stream]:
    return [Stream(start, stop) for start, stop in _spans(starts, size)]


def _occurrences(file: BinaryIO, pattern: re.Pattern[bytes], start: int) -> Iterator[int]:
    """Yield the positions at which a pattern of at most 16 bytes occurs, the first 10,000 of them."""
    count = 0
    while len(chunk := _read(file, start, CHUNK + 16)) > 0:
        for match in pattern.finditer(chunk):
            if match.start() < CHUNK:
                count += 1
                if count > MAX_OCCURRENCES:
                    return
                yield start + match.start()
        start += CHUNK


def _ogg_starts(file: BinaryIO, start: int, size: int) -> list[int]:
    """Return where chained streams begin: a page that begins one, after a page that does not (RFC 3533, 6)."""
    starts, begins_before = [start], True
    while (head := _read(file, start, 27))[:4] == b"OggS" and len(head) == 27:
        begins = bool(head[5] & 2)
        if begins and not begins_before:
            starts.append(start)
        begins_before = begins
        start += 27 + head[26] + sum(file.read(head[26]))
    return starts


def _riff_starts(file: BinaryIO, start: int, size: int) -> list[int]:
    starts = [start]
    while len(head := _read(file, start, 8)) == 8:
        length = int.from_bytes(head[4:], "little")
        start += 8 + length + length % 2
        if _read(file, start, 4) != b"RIFF":
            break
        starts.append(start)
    return starts


def _flac_starts(file: BinaryIO, start: int) -> list[int]:
    return list(_occurrences(file, re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"), start)) or [start]


def _flac_stream(file: BinaryIO, start: int, stop: int) -> Stream:
    """Return a stream whose header declares no number of samples, so that it is read to its end (RFC 9639, 8.2)."""
    header = bytearray(_read(file, start, 42))
    if len(header) < 42:
        return Stream(start, stop)
    declared = int.from_bytes(header[21:26]) & 0xF_FFFF_FFFF
    header[21] &= 0xF0
    header[22:26] = bytes(4)
    return Stream(start + 42, stop, bytes(header), declared or None)


def _frame_length(header: bytes) -> int:
    """Return the bytes of an MPEG frame of layer II or III (ISO 11172-3, 2.4.2.3); 0 for what is no such header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer, bitrate, rate = header[1] >> 3 & 3, header[1] >> 1 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer not in (1, 2) or bitrate in (0, 15) or rate == 3:
        return 0
    slots = 72 if layer == 1 and version != 3 else 144
    kilobits = BITRATES[version == 3, layer == 1][bitrate]
    return slots * kilobits * 1000 // RATES[version][rate] + (header[2] >> 1 & 1)


def _is_chain(file: BinaryIO, start: int, n_frames: int = CHAIN) -> bool:
    """Tell whether frames of one kind follow each other."""
    kind = None
    for _ in range(n_frames):
        header = _read(file, start, 4)
        length = _frame_length(header)
        if not length or kind not in (None, (header[1] & 0xFE, header[2] & 0x0C)):
            return False
        kind = header[1] & 0xFE, header[2] & 0x0C
        start += length
    return True


def _first_frame(file: BinaryIO, start: int, stop: int) -> int | None:
    stop = min(stop, start + JUNK)
    for at in _occurrences(file, re.compile(rb"\xff[\xe2-\xff]"), start):
        if at >= stop:
            return None
        if _is_chain(file, at):
            return at
    return None


def _mpeg_streams(file: BinaryIO, start: int, size: int) -> Iterator[Stream]:
    """Yield the streams of an mp3: each begins with the header of an encoder (Xing, Info), or with a bare frame."""
    first = _first_frame(file, start, size)
    if first is None or first - start > size - first:  # more junk than audio is no mp3
        return
    headers = [at for at in (_header_frame(file, tag) for tag in _tags(file, first)) if at is not None]
    if not headers or headers[0] != first:
        yield _bare_stream(file, first, headers[0] if headers else size)
    for at, stop in _spans(headers, size):
        yield Stream(at, stop, is_mpeg=True)
        declared = _declared_bytes(file, at)
        # a further file without such a header may follow the bytes that this one declares
        further = _first_frame(file, at + declared, stop) if declared else None
        if further is not None:
            yield _bare_stream(file, further, stop)


def _tags(file: BinaryIO, start: int) -> Iterator[int]:
    return _occurrences(file, re.compile(rb"Xing|Info"), start)


def _tag_offset(header: bytes) -> int:
    """Return the distance of an encoder's tag from its frame: header, checksum and side information."""
    is_mono, is_mpeg1 = header[3] >> 6 == 3, header[1] >> 3 & 3 == 3
    side = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    return 4 + (0 if header[1] & 1 else 2) + side


def _header_frame(file: BinaryIO, tag: int) -> int | None:
    """Return where the frame of an encoder's tag begins; None where the four letters are chance."""
    for offset in (36, 21, 13, 38, 23, 15):
        if tag < offset:
            continue
        header = _read(file, tag - offset, 4)
        if _frame_length(header) and _tag_offset(header) == offset and _is_chain(file, tag - offset, 2):
            return tag - offset
    return None


def _declared_bytes(file: BinaryIO, start: int) -> int:
    """Return the bytes of the stream that an encoder's header declares, 0 for none."""
    tag = _read(file, start + _tag_offset(_read(file, start, 4)), 16)
    flags = int.from_bytes(tag[4:8])
    if not flags & 2:
        return 0
    return int.from_bytes(tag[12:16] if flags & 1 else tag[8:12])


def _bare_stream(file: BinaryIO, start: int, stop: int) -> Stream:
    """Return a stream of frames without the header of an encoder.

    Its length would be estimated from the first frame, which is wrong for a variable bit rate. A header that declares
    more frames than there can be makes libsndfile read to the end.
    """
    first = _read(file, start, 4)
    if first[1] >> 1 & 3 != 1:  # layer II has a constant bit rate, and no such header
        return Stream(start, stop, is_mpeg=True)
    head = bytes([first[0], first[1] | 1, 0x90 | first[2] & 0x0C, first[3]])
    offset = _tag_offset(head)
    frame = bytearray(_frame_length(head))
    frame[:4] = head
    frame[offset : offset + 12] = b"Xing" + (1).to_bytes(4) + (1 << 24).to_bytes(4)
    return Stream(start, stop, bytes(frame), is_mpeg=True)
