// Cards: a playhead that follows the sound, seeking by a click or by keys on the picture, one sound at a time.
const audioOf = (node) => node.closest('.card').querySelector('audio');
let last = 0;  // s, the place in the sound that was heard last
const draw = (audio) => {
  const card = audio.closest('.card');
  if (!card) return;
  const seconds = Number(card.querySelector('.spectrogram').dataset.seconds);
  const picture = card.querySelector('.picture');
  last = audio.currentTime;
  card.querySelector('.playhead').style.left = `${100 * Math.min(1, last / seconds)}%`;
  picture.setAttribute('aria-valuenow', last.toFixed(1));
  picture.setAttribute('aria-valuetext', `${Math.round(last)} of ${Math.round(seconds)} seconds`);
  if (!audio.paused) requestAnimationFrame(() => draw(audio));
};

// events of media do not bubble, but they can be captured
element.addEventListener('play', (event) => {
  document.querySelectorAll('.card audio').forEach((other) => { if (other !== event.target) other.pause(); });
  draw(event.target);
}, true);
element.addEventListener('seeked', (event) => draw(event.target), true);
element.addEventListener('ended', (event) => {
  const next = event.target.closest('[data-in-turn] .card')?.nextElementSibling;
  if (!next) return;
  next.scrollIntoView({ block: 'nearest', inline: 'start' });
  next.querySelector('audio').play();
}, true);

element.addEventListener('click', (event) => {
  const link = event.target.closest('a.download');
  if (link) link.href = audioOf(link).src;  // the sound is in the page once, not twice
  const picture = event.target.closest('[data-seek]');
  if (!picture) return;
  const box = picture.getBoundingClientRect();
  const audio = audioOf(picture);
  audio.currentTime = audio.duration * (event.clientX - box.left) / box.width;
  audio.play();
});

element.addEventListener('keydown', (event) => {
  const picture = event.target.closest('[data-seek]');
  if (!picture) return;
  const audio = audioOf(picture);
  const now = audio.currentTime;
  const places = { ArrowLeft: now - 1, ArrowRight: now + 1, ArrowDown: now - 1, ArrowUp: now + 1, Home: 0, End: audio.duration };
  if (event.key in places) {
    audio.currentTime = Math.min(Math.max(places[event.key], 0), audio.duration);
  } else if (event.key === ' ' || event.key === 'Enter') {
    if (audio.paused) audio.play();
    else audio.pause();
  } else return;
  event.preventDefault();
});

let started = null;
watch('value', () => {
  const audio = element.querySelector('audio:not([data-take=""])');
  if (!audio || audio.dataset.take === started) return;  // a second card arrived, the first one plays on
  started = audio.dataset.take;
  const seconds = Number(audio.closest('.card').querySelector('.spectrogram').dataset.seconds);
  const dragged = document.querySelector('[data-dragged]');
  audio.currentTime = dragged && last < 0.9 * seconds ? last : 0;
  if (dragged) delete dragged.dataset.dragged;
  audio.play().catch(() => {});  // a browser may want another click first
});
