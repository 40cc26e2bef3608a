// The plane to click on. gr.HTML gives `element`, `props` and `trigger`; setting props.value draws the point anew.
const clamp = (x) => Math.min(1, Math.max(-1, Math.round(x * 100) / 100));
const move = (valence, arousal) => {
  props.value = { valence: clamp(valence), arousal: clamp(arousal) };
  describe();
  trigger('input');
};
const describe = () => {
  const { valence, arousal } = props.value;
  element.setAttribute('aria-label', `Emotion: valence ${valence}, arousal ${arousal}. Arrow keys move, Enter makes music.`);
};
const follow = (event) => {
  const field = element.querySelector('[data-field]').getBoundingClientRect();
  move(2 * (event.clientX - field.left) / field.width - 1, 1 - 2 * (event.clientY - field.top) / field.height);
};

element.tabIndex = 0;
element.setAttribute('role', 'application');
describe();
watch('value', describe);

let held = null;
element.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || !event.target.closest('svg')) return;
  held = event.pointerId;
  element.setPointerCapture(held);
  follow(event);
});
element.addEventListener('pointermove', (event) => { if (event.pointerId === held) follow(event); });
element.addEventListener('pointerup', (event) => {
  if (event.pointerId !== held) return;
  held = null;
  trigger('select');
});
element.addEventListener('pointercancel', () => { held = null; });

const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
element.addEventListener('keydown', (event) => {
  const size = event.shiftKey ? 0.01 : 0.1;
  if (event.key in steps) {
    const [right, up] = steps[event.key];
    move(props.value.valence + right * size, props.value.arousal + up * size);
  } else if (event.key === 'Enter' || event.key === ' ') {
    trigger('select');
  } else return;
  event.preventDefault();
});
