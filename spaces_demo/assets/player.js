// Cards: a playhead that follows the sound, seeking by a click on the picture, one sound at a time.
const audioOf = (node) => node.closest('.card').querySelector('audio');
const draw = (audio) => {
  const card = audio.closest('.card');
  if (!card) return;
  const seconds = Number(card.querySelector('.spectrogram').dataset.seconds);
  card.querySelector('.playhead').style.left = `${100 * Math.min(1, audio.currentTime / seconds)}%`;
  if (!audio.paused) requestAnimationFrame(() => draw(audio));
};

// events of media do not bubble, but they can be captured
element.addEventListener('play', (event) => {
  document.querySelectorAll('.card audio').forEach((other) => { if (other !== event.target) other.pause(); });
  draw(event.target);
}, true);
element.addEventListener('seeked', (event) => draw(event.target), true);

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

let started = null;
watch('value', () => {
  const audio = element.querySelector('audio:not([data-take=""])');
  if (!audio || audio.dataset.take === started) return;  // a second card arrived, the first one plays on
  started = audio.dataset.take;
  audio.currentTime = 0;
  audio.play().catch(() => {});  // a browser may want another click first
});
