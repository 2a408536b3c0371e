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
} as const;
