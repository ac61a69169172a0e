/**
 * SVG to PNG with resvg. This is the one file that imports @resvg/resvg-js, and the one that knows the font files.
 *
 * resvg drops a text without a word when it has no font for it, and system fonts differ from machine to machine. So
 * only the font that ships with the package is used.
 */
import { createRequire } from "node:module";
import type * as resvg from "@resvg/resvg-js";
import { PeError } from "../common/errors.ts";
import { withResolution } from "./png.ts";

export interface PngOptions {
  /** Pixels of the PNG for one of the SVG; 3 where absent, which is 288 dots per inch. */
  readonly scale?: number;
  /** Width of the PNG in pixels, instead of a scale. */
  readonly width?: number;
}

const SCALE_DEFAULT = 3;
const SVG_DOTS_PER_INCH = 96;
/** A side of a PNG: beyond this, memory and viewers give out. */
const SIDE_PIXELS_MAX = 16_384;
const SIDE_PIXELS_MIN = 16;

const require = createRequire(import.meta.url);

/**
 * Draws an SVG of this package into a PNG.
 *
 * @param svg As `renderMap`, `renderScan` or `renderSheet` return it.
 * @returns The bytes of the PNG, with its resolution in them: it prints in the size of the SVG.
 * @throws {PeError} `PE_PARAMETER` when the scale or width is out of range or the text is no SVG;
 *   `PE_PICTURE_UNAVAILABLE` when resvg has no build for this machine.
 * @example
 * await writeFile("map.png", svgToPng(renderMap(figure), { scale: 2 }));
 */
export function svgToPng(svg: string, { scale, width }: PngOptions = {}): Uint8Array {
  const { Resvg, fontFiles } = loadRasteriser();
  const fitTo =
    width === undefined
      ? ({ mode: "zoom", value: scale ?? SCALE_DEFAULT } as const)
      : ({ mode: "width", value: width } as const);
  if (!(fitTo.value > 0) || !Number.isFinite(fitTo.value)) {
    throw new PeError("PE_PARAMETER", `Cannot draw PNG: a ${fitTo.mode} of ${fitTo.value} is not a positive number`);
  }
  const font = { fontFiles, loadSystemFonts: false, defaultFontFamily: "Arimo", sansSerifFamily: "Arimo" };
  let picture: resvg.Resvg;
  try {
    picture = new Resvg(svg, { fitTo, font, background: "#ffffff" });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PeError("PE_PARAMETER", `Cannot draw PNG: the text is no SVG (${reason})`, { cause: error });
  }
  const zoom = fitTo.mode === "zoom" ? fitTo.value : fitTo.value / picture.width;
  const side = Math.max(picture.width, picture.height) * zoom;
  if (side > SIDE_PIXELS_MAX || side < SIDE_PIXELS_MIN) {
    const found = `Cannot draw PNG: ${Math.round(side)} pixels on its longer side`;
    throw new PeError(
      "PE_PARAMETER",
      `${found} are not from ${SIDE_PIXELS_MIN} to ${SIDE_PIXELS_MAX}; change the scale`,
    );
  }
  return withResolution(picture.render().asPng(), SVG_DOTS_PER_INCH * zoom);
}

interface Rasteriser {
  readonly Resvg: typeof resvg.Resvg;
  readonly fontFiles: string[];
}

/** Loaded when first needed: SVG figures, and everything else, work where resvg does not. */
function loadRasteriser(): Rasteriser {
  try {
    const { Resvg }: typeof resvg = require("@resvg/resvg-js");
    const regular = require.resolve("@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf");
    const bold = require.resolve("@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf");
    return { Resvg, fontFiles: [regular, bold] };
  } catch (error) {
    const machine = `${process.platform} ${process.arch}`;
    const advice = "run npm ci again without leaving out optional dependencies, or write SVG instead";
    const message = `Cannot draw PNG: resvg or its font does not load on ${machine}; ${advice}`;
    throw new PeError("PE_PICTURE_UNAVAILABLE", message, { cause: error });
  }
}
