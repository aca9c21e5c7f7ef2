// A velocity field to play with: a disc whose true rotation curve is known, inclined and blurred by a beam. All of it is
// computed here, in the reader's browser; chapter and print show a simulated galaxy in the same way.
(() => {
  const N = 81, HALF = 20, STEP = (2 * HALF) / (N - 1), SCALE = 6;
  const speed = (r) => 160 * Math.tanh(r / 2.5);

  function blur(map, fwhm) {
    const sigma = fwhm / 2.3548 / STEP;
    if (sigma < 0.2) return map;
    const reach = Math.ceil(3 * sigma), kernel = [];
    for (let k = -reach; k <= reach; k++) kernel.push(Math.exp(-0.5 * (k / sigma) ** 2));
    const pass = (from, along, across) => {
      const to = new Float64Array(N * N);
      for (let i = 0; i < N; i++)
        for (let j = 0; j < N; j++) {
          let sum = 0, weight = 0;
          for (let k = -reach; k <= reach; k++) {
            const at = j + k;
            if (at < 0 || at >= N) continue;
            sum += kernel[k + reach] * from[i * across + at * along];
            weight += kernel[k + reach];
          }
          to[i * across + j * along] = sum / weight;
        }
      return to;
    };
    return pass(pass(map, 1, N), N, 1);
  }

  function observe(inclination, fwhm) {
    const sin = Math.sin(inclination), cos = Math.cos(inclination);
    const light = new Float64Array(N * N), first = new Float64Array(N * N), second = new Float64Array(N * N);
    for (let i = 0; i < N; i++)
      for (let j = 0; j < N; j++) {
        const x = j * STEP - HALF, y = (i * STEP - HALF) / cos, r = Math.hypot(x, y), at = i * N + j;
        const v = r > 0 ? (speed(r) * sin * x) / r : 0;
        light[at] = Math.exp(-r / SCALE);
        first[at] = light[at] * v;
        second[at] = light[at] * (v * v + 64);
      }
    const [m0, m1, m2] = [light, first, second].map((map) => blur(map, fwhm));
    const v = m1.map((value, at) => value / m0[at]);
    return { m0, v, sigma: m2.map((value, at) => Math.sqrt(Math.max(value / m0[at] - v[at] ** 2, 0))) };
  }

  const mix = (a, b, t) => a.map((value, k) => value + (b[k] - value) * t);
  const shade = (t) => (t < 0 ? mix([247, 247, 247], [33, 102, 172], -t) : mix([247, 247, 247], [178, 24, 43], t));

  function start(box) {
    const [map, plot] = box.querySelectorAll("canvas"), [tilt, beam] = box.querySelectorAll("input");
    const told = box.querySelector("output");
    map.width = map.height = N;
    plot.width = 480; plot.height = 400;

    function draw() {
      const inclination = (tilt.value * Math.PI) / 180, fwhm = Number(beam.value);
      const seen = observe(inclination, fwhm), middle = (N - 1) / 2;
      const pixels = map.getContext("2d").createImageData(N, N);
      for (let at = 0; at < N * N; at++) {
        const faint = seen.m0[at] < 0.03, colour = faint ? [216, 216, 216] : shade(Math.max(-1, Math.min(1, seen.v[at] / 160)));
        pixels.data.set([...colour, 255], 4 * at);
      }
      map.getContext("2d").putImageData(pixels, 0, 0);

      const pen = plot.getContext("2d"), ink = getComputedStyle(box).color;
      const x = (r) => 60 + (r / HALF) * 400, y = (v) => 350 - (v / 200) * 320;
      pen.clearRect(0, 0, plot.width, plot.height);
      pen.strokeStyle = pen.fillStyle = ink;
      pen.font = "18px system-ui, sans-serif";
      pen.lineWidth = 1;
      pen.strokeRect(60, 30, 400, 320);
      for (const v of [0, 50, 100, 150, 200]) pen.fillText(v, 20, y(v) + 6);
      for (const r of [0, 5, 10, 15, 20]) pen.fillText(r, x(r) - 6, 372);
      pen.fillText("radius [kpc]", 210, 395);
      pen.fillText("speed [km/s]", 8, 20);
      const curve = (value, colour, dash) => {
        pen.beginPath();
        pen.setLineDash(dash);
        pen.strokeStyle = colour;
        pen.lineWidth = 3;
        for (let k = 0; k <= middle; k++) pen.lineTo(x(k * STEP), y(value(k)));
        pen.stroke();
        pen.setLineDash([]);
      };
      const read = (k) => seen.v[middle * N + middle + k] / Math.sin(inclination);
      curve((k) => speed(k * STEP), ink, [8, 5]);
      curve(read, "#d0568f", []);
      const at = Math.round(2 / STEP), lost = 100 * (1 - read(at) / speed(at * STEP));
      told.textContent =
        `Inclination ${tilt.value}°, beam ${fwhm.toFixed(1)} kpc: at 2 kpc the speed read off the major axis is ${lost.toFixed(0)} % too low; ` +
        `the dispersion at the centre is ${seen.sigma[middle * N + middle].toFixed(0)} km/s, of which 8 are the gas's own.`;
    }
    for (const input of [tilt, beam]) input.addEventListener("input", draw);
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    draw();
    box.hidden = false;
  }
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".velocity-lab").forEach(start));
})();
