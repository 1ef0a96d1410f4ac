// One gateway's panorama: packets from the WebSocket, decoded frames out, each with the people
// that came in the same packet. Draws nothing.

import { codecOf } from "./h264.js";
import { parse } from "./json.js";
import { address } from "./link.js";

const BEHIND_FRAMES = 3;
const START_MS = 1000;
const AGAIN_MS = 1000;

export class PanoramaStream {
  /** Calls `onFrame(videoFrame, header)` for each picture, and `onTrouble(text)` ("" when well). */
  constructor(place, onFrame, onTrouble) {
    this.place = place;
    this.onFrame = onFrame;
    this.onTrouble = onTrouble;
    this.codec = null;
    this.decoder = null;
    this.headers = new Map();
    this.waitsForKey = true;
    this.skipped = 0;
    /** In a replay: after which jump the pictures are that come now. */
    this.jump = null;
    this.closed = false;
    this.open();
  }

  /** Stop for good. */
  close() {
    this.closed = true;
    this.socket.close();
    this.dropDecoder();
  }

  open() {
    const path = this.place.split("/").map(encodeURIComponent).join("/");
    this.socket = new WebSocket(address(`/panorama/${path}`));
    this.socket.binaryType = "arraybuffer";
    this.openedAt = performance.now();
    this.waitsForKey = true;
    this.socket.onmessage = (event) => {
      if (!this.closed) this.take(event.data);
    };
    this.socket.onclose = () => {
      if (!this.closed) setTimeout(() => this.closed || this.open(), AGAIN_MS);
    };
  }

  take(data) {
    const length = new DataView(data).getUint32(0);
    const header = parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const picture = new Uint8Array(data, 4 + length);
    this.follow(header.replay);
    const starting = performance.now() - this.openedAt < START_MS;
    const behind = this.decoder !== null && this.decoder.decodeQueueSize > BEHIND_FRAMES;
    if (behind && !starting) this.waitsForKey = true;
    if (this.waitsForKey && (!header.key_frame || (behind && !starting))) {
      this.skipped += 1;
      return;
    }
    if (header.key_frame && !this.configure(picture)) return;
    this.waitsForKey = false;
    // Microseconds: exact in a double, and different for every frame.
    const timestamp = Number(BigInt(header.captured_at_ns) / 1000n);
    this.headers.set(timestamp, header);
    const type = header.key_frame ? "key" : "delta";
    try {
      this.decoder.decode(new EncodedVideoChunk({ type, timestamp, data: picture }));
    } catch (error) {
      this.fail(error);
    }
  }

  /** A replay may go elsewhere: no picture from before may be shown then, and those there come at once. */
  follow(replay) {
    if (replay === undefined) return;
    if (replay.jump !== this.jump) {
      this.jump = replay.jump;
      this.dropDecoder();
      this.waitsForKey = true;
    }
    if (replay.first) this.openedAt = performance.now();
  }

  configure(picture) {
    const codec = codecOf(picture);
    if (codec === null) {
      this.onTrouble("key frame without parameter sets");
      return false;
    }
    if (this.decoder !== null && codec === this.codec) return true;
    this.dropDecoder();
    this.codec = codec;
    this.decoder = new VideoDecoder({
      output: (frame) => this.show(frame),
      error: (error) => this.fail(error),
    });
    this.decoder.configure({ codec, optimizeForLatency: true });
    return true;
  }

  show(frame) {
    const header = this.headers.get(frame.timestamp);
    for (const timestamp of this.headers.keys()) {
      if (timestamp <= frame.timestamp) this.headers.delete(timestamp);
    }
    // Some are only there because those after them are made of them.
    if (header === undefined || this.closed || header.replay?.show === false) {
      frame.close();
      return;
    }
    this.onTrouble("");
    this.onFrame(frame, header);
  }

  fail(error) {
    this.onTrouble(String(error.message ?? error));
    this.dropDecoder();
    this.waitsForKey = true;
  }

  dropDecoder() {
    if (this.decoder !== null && this.decoder.state !== "closed") this.decoder.close();
    this.decoder = null;
    this.codec = null;
    this.headers.clear();
  }
}
