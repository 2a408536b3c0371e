// All texts of the page in English. `ko.ts` has the same keys; a test holds it.

export const en = {
  "app.skip": "Skip to the view",
  "app.views": "Views",
  "app.language": "Language",
  "app.theme.dark": "Dark",
  "app.theme.light": "Light",
  "app.welcome": "See why the encoding works, on a picture of your own.",
  "app.about":
    "A coordinate network learns a picture as a function of position. How well it does so depends on its positional encoding. Its tangent kernel tells the outcome before any training: drop a photo, and watch what the theory says of it.",
  "app.private": "All of it is computed on this machine. Nothing is sent anywhere.",

  "state.connecting": "Connecting …",
  "state.closed": "The server does not answer. Is `ntkit studio` still running? Trying again …",
  "state.full": "Too many tabs of the studio are open. Close one, and reload this page.",
  "state.error": "That did not work:",

  "signal.drop": "Drop a picture here, or choose one",
  "signal.choose": "Choose a file",
  "signal.examples": "Or an example:",
  "signal.parrots": "Parrots",
  "signal.houses": "Houses",
  "signal.alps": "Alps",
  "signal.reading": "Reading {name} …",
  "signal.what": "{width} × {height} pixels",
  "signal.small": "{width} × {height} pixels, seen here at {w} × {h}",
  "signal.too_large": "{name} has more than {most} MiB.",

  "steps.infinite": "without end",
  "steps.one": "1 step",
  "steps.many": "{n} steps",

  "view.bandwidth": "Bandwidth",
  "bandwidth.title": "Which bandwidth?",
  "bandwidth.lead":
    "Drag along the curve. Too small a bandwidth blurs, too large a one fills the unseen pixels with noise, and in between the network paints what it was not shown.",
  "bandwidth.chart": "Predicted PSNR against the bandwidth, one curve a budget",
  "bandwidth.x": "bandwidth (cycles per picture side)",
  "bandwidth.y.held_out": "PSNR (dB), held out",
  "bandwidth.y.train": "PSNR (dB), trained on",
  "bandwidth.bicubic": "bicubic interpolation",
  "bandwidth.budget": "Budget",
  "bandwidth.slider": "Bandwidth",
  "bandwidth.value": "{b} cycles per picture side",
  "bandwidth.under": "Too small",
  "bandwidth.best": "Best",
  "bandwidth.over": "Too large",
  "bandwidth.jump": "Go to",
  "bandwidth.steps": "Longest budget",
  "bandwidth.optimiser": "Optimiser",
  "bandwidth.adam": "Adam",
  "bandwidth.sgd": "Gradient descent",
  "bandwidth.goal": "Judged on",
  "bandwidth.generalise": "pixels held out",
  "bandwidth.fit": "pixels trained on",
  "bandwidth.zoom": "Look closely (4×)",
  "bandwidth.progress": "{known} of {all} bandwidths",
  "bandwidth.picture.here": "Predicted: bandwidth {b}, {steps}",
  "bandwidth.picture.true": "Your picture",
  "bandwidth.picture.bicubic": "Bicubic interpolation",
  "bandwidth.quality": "{held_out} held out, {train} trained on",
  "bandwidth.verdict.under":
    "Under the best: fine detail takes longer than this budget to learn, so that edges stay soft.",
  "bandwidth.verdict.best":
    "As good as the best for this budget, within 0.3 dB. The band in the chart shows how far that reaches.",
  "bandwidth.verdict.over":
    "Over the best: the kernel is narrower than the distance of two pixels. Each pixel is learned alone, and those between are left out.",
  "bandwidth.what.title": "What you see",
  "bandwidth.what.1":
    "The network sees every other pixel in each direction, a quarter of them. It is judged on the rest. Its encoding turns a position $x$ into cosines and sines of random frequencies $b$, and the bandwidth $\\sigma$ is how large these are:",
  "bandwidth.what.2":
    "In a wide network, training acts on what is still wrong through the tangent kernel $K$. Each mode of the picture fades at the rate of its eigenvalue. A larger $\\sigma$ makes the kernel narrower: high frequencies are learned sooner, and neighbours say less about each other.",
  "bandwidth.try.title": "What to try",
  "bandwidth.try.1": "Choose the smallest budget, then the largest. Where does the best bandwidth go? Why?",
  "bandwidth.try.2":
    "Look at training without end: to the left of the cliff, the bandwidth hardly matters. What matters is how soon one gets there.",
  "bandwidth.try.3":
    "Judge by the pixels trained on. Large bandwidths now win. Why is that no reason to take them?",
  "bandwidth.try.4":
    "Compare with bicubic interpolation. On photos it is about as good as the best kernel at the end of training.",
  "bandwidth.limits.title": "How far to trust it",
  "bandwidth.limits.1":
    "These curves are predictions, for a ReLU network of four hidden layers with 256 units, 256 random frequencies and a learning rate of {lr}. Its random initial function is left out. Networks of this width depart from the theory by up to a third in the rates. For Adam the clock is an average over photos; `ntkit tune` calibrates it by a short real run, and trains scale models to choose.",
  "bandwidth.formula.encoding": "gamma of x is the cosine and sine of 2 pi b dot x, with b drawn from a normal distribution of standard deviation sigma",
  "bandwidth.formula.flow": "f of t is K star times K inverse times the identity minus e to the minus t K, times y",

  "view.kernel": "Kernel",
  "kernel.title": "What does one pixel teach the others?",
  "kernel.lead":
    "Click a pixel. An error there moves the function everywhere, in proportion to the tangent kernel. Without an encoding the whole picture moves nearly as much as the pixel itself; with one, its neighbours stand out.",
  "kernel.picture": "Your picture: click to choose a pixel",
  "kernel.pixel": "Pixel",
  "kernel.column": "Column",
  "kernel.row": "Row",
  "kernel.bandwidth": "Bandwidth",
  "kernel.frequencies": "Frequencies",
  "kernel.depth": "Hidden layers",
  "kernel.encoded": "With Gaussian features",
  "kernel.raw": "Raw coordinates",
  "kernel.chart": "The kernel along the row of the pixel, with the encoding and without",
  "kernel.x": "distance from the pixel (pixels)",
  "kernel.y": "kernel, 1 at the pixel itself",
  "kernel.named": "width {width} px · lowest {floor}",
  "kernel.named.raw": "lowest {floor}: the whole picture moves",
  "kernel.lobe": "side lobe {lobe} at {at} px",
  "kernel.nolobe": "no side lobe",
  "kernel.scale": "Both maps have the same colours, from the lowest value with features (dark) to 1 (light). Width and side lobe are of the cut along the row, the width at half of the fall, the lobe as a share of it.",
  "kernel.what.title": "What you see",
  "kernel.what.1":
    "In one short step of gradient descent, an error $r$ at the point $x_0$ moves the network's function at any other point $x$ by the tangent kernel, a product of gradients over all weights $\\theta$:",
  "kernel.what.2":
    "On raw coordinates, neighbouring pixels have nearly the same gradients, so that no pixel can be learned without its surroundings. Random frequencies make the features of distant points nearly orthogonal: there the kernel falls to what all pixels share, and above it stands a spot. For Gaussian features it depends on the difference $x - x_0$ alone, so that the spot has the same shape everywhere.",
  "kernel.try.title": "What to try",
  "kernel.try.1": "Move the bandwidth. Width times bandwidth stays about the same. What does that say of the sampling of your picture?",
  "kernel.try.2": "Take 8 frequencies: side lobes appear, by which far pixels are mistaken for neighbours. How many frequencies make them small?",
  "kernel.try.3": "Add layers. The spot becomes sharper at its tip, and the lowest value changes: what all pixels share.",
  "kernel.try.4": "The bandwidth view shows every other pixel to the network. Where its curves fall, how many of those does the spot still cover?",
  "kernel.limits.title": "How far to trust it",
  "kernel.limits.1":
    "This is the kernel of infinitely wide layers with PyTorch's own initialisation, at the start of training. With 256 units a network's own kernel scatters around it by some per cent, and training moves it.",
  "kernel.formula": "the change of f at x is minus the step times K of x and x zero times the error; K is the inner product of the gradients of f with respect to the weights",
} as const;
