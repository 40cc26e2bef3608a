// The plane to click on. gr.HTML gives `element`, `props` and `trigger`; setting props.value draws the point anew.
const REST = 250;  // ms without movement after which the sound of a point that is being dragged is made
const clamp = (x) => Math.min(1, Math.max(-1, Math.round(x * 100) / 100));
const move = (valence, arousal) => {
  props.value = { valence: clamp(valence), arousal: clamp(arousal) };
  if (props.found.pairs.length) props.found = { pairs: [], text: '' };  // it was of another point
  trigger('input');
};
const follow = (event) => {
  const field = element.querySelector('[data-field]').getBoundingClientRect();
  move(2 * (event.clientX - field.left) / field.width - 1, 1 - 2 * (event.clientY - field.top) / field.height);
};

let held = null, resting = null, heard = null;
const hear = () => {
  clearTimeout(resting);
  const point = JSON.stringify(props.value);
  if (point !== heard) trigger('select');
  heard = point;
};
element.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || !event.target.closest('svg')) return;
  held = event.pointerId;
  heard = null;
  delete element.dataset.dragged;
  element.setPointerCapture(held);
  follow(event);
});
element.addEventListener('pointermove', (event) => {
  if (event.pointerId !== held) return;
  const before = JSON.stringify(props.value);
  follow(event);
  if (JSON.stringify(props.value) === before) return;
  element.dataset.dragged = '';  // the player goes on where the last sound was
  clearTimeout(resting);
  resting = setTimeout(hear, REST);
});
element.addEventListener('pointerup', (event) => {
  if (event.pointerId !== held) return;
  held = null;
  hear();
});
element.addEventListener('pointercancel', () => { held = null; clearTimeout(resting); });

const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
element.addEventListener('keydown', (event) => {
  const size = event.shiftKey ? 0.01 : 0.1;
  if (event.key in steps) {
    const [right, up] = steps[event.key];
    move(props.value.valence + right * size, props.value.arousal + up * size);
  } else if (event.key === 'Enter' || event.key === ' ') {
    delete element.dataset.dragged;
    trigger('select');
  } else return;
  event.preventDefault();
});
