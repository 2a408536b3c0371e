// What a prediction is held against: the picture itself, and its bicubic interpolation.

import { h } from "./dom";
import type { Link } from "./link";
import { Picture } from "./paint";
import { decibels, t } from "./words";

export class Honest {
  readonly pictures = [new Picture(t("bandwidth.picture.true")), new Picture(t("bandwidth.picture.bicubic"))] as const;
  readonly figures: readonly HTMLElement[];
  #caption = h("figcaption");

  constructor() {
    const [own, bicubic] = this.pictures;
    this.figures = [h("figure", {}, own.canvas, h("figcaption", {}, t("bandwidth.picture.true"))), h("figure", {}, bicubic.canvas, this.#caption)];
  }

  ask(link: Link): void {
    link.ask("bandwidth", "honest", {}, {
      answer: ({ content, arrays }) => {
        const [own, bicubic] = this.pictures;
        own.show(arrays.get("picture"));
        bicubic.show(arrays.get("bicubic"));
        const psnr = decibels(content["bicubic"] as number | null);
        this.#caption.replaceChildren(t("bandwidth.picture.bicubic"), h("small", {}, psnr));
      },
    });
  }
}
