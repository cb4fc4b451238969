// A phone that JsSIP makes: SIP over WebSocket, and G.711 over plain RTP, since Node has no WebRTC. It registers, takes
// every call, calls when it is told to on standard input, speaks a tone, and says what happens, a line each.
//
// Usage: node phone.js URL USER PASSWORD REALM TONE_HZ LISTEN_HZ

"use strict";
const dgram = require("node:dgram");
const readline = require("node:readline");

const [url, user, password, realm, toneHz, listenHz] = process.argv.slice(2);
const say = (line) => process.stdout.write(line + "\n");

const RATE = 8000;
const FRAME = 160;
// A judgement is made of so many samples: a quarter of a second.
const WINDOW = 2000;

// ITU-T G.711, µ-law.
function encode(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  let magnitude = Math.min(Math.abs(sample), 32635) + 132;
  let exponent = 7;
  for (let mask = 0x4000; exponent > 0 && !(magnitude & mask); mask >>= 1) exponent--;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function decode(byte) {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 132) << ((bits >> 4) & 0x07)) - 132;
  return bits & 0x80 ? -magnitude : magnitude;
}

// The part of the window's power that is a sine of `hz`.
function shareOfTone(window, hz) {
  let sine = 0, cosine = 0, power = 0;
  window.forEach((sample, index) => {
    const phase = (2 * Math.PI * hz * index) / RATE;
    sine += sample * Math.sin(phase);
    cosine += sample * Math.cos(phase);
    power += sample * sample;
  });
  return power === 0 ? 0 : (2 * (sine * sine + cosine * cosine)) / (window.length * power);
}

// What JsSIP asks of a browser's peer connection, with RTP in the clear behind it.
class PeerConnection extends EventTarget {
  constructor() {
    super();
    this.signalingState = "stable";
    this.iceGatheringState = "complete";
    this.iceConnectionState = "connected";
    this.socket = dgram.createSocket("udp4");
    this.bound = new Promise((done) => this.socket.bind(0, "127.0.0.1", done));
    this.heard = [];
    this.socket.on("message", (packet) => this.hear(packet));
  }

  async describe(type) {
    await this.bound;
    const sdp = [
      "v=0", `o=- ${process.pid} 1 IN IP4 127.0.0.1`, "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
      `m=audio ${this.socket.address().port} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000", "a=sendrecv", "",
    ].join("\r\n");
    return { type, sdp };
  }

  createOffer() { return this.describe("offer"); }
  createAnswer() { return this.describe("answer"); }

  async setLocalDescription(description) {
    this.localDescription = description;
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    this.speak();
  }

  async setRemoteDescription(description) {
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
    this.speak();
  }

  // Begins when both descriptions are there; goes on until the connection is closed.
  speak() {
    if (this.timer || !this.localDescription || !this.remoteDescription) return;
    const port = Number(/^m=audio (\d+)/m.exec(this.remoteDescription.sdp)[1]);
    const host = /^c=IN IP4 (\S+)/m.exec(this.remoteDescription.sdp)[1];
    let sequence = 0;
    this.timer = setInterval(() => {
      const packet = Buffer.alloc(12 + FRAME);
      packet[0] = 0x80;
      packet.writeUInt16BE(sequence & 0xffff, 2);
      packet.writeUInt32BE((sequence * FRAME) >>> 0, 4);
      packet.writeUInt32BE(process.pid, 8);
      for (let index = 0; index < FRAME; index++) {
        const phase = (2 * Math.PI * Number(toneHz) * (sequence * FRAME + index)) / RATE;
        packet[12 + index] = encode(Math.round(8000 * Math.sin(phase)));
      }
      sequence++;
      this.socket.send(packet, port, host);
    }, 20);
  }

  hear(packet) {
    if (packet.length <= 12 || (packet[1] & 0x7f) !== 0) return;
    for (const byte of packet.subarray(12)) this.heard.push(decode(byte));
    while (this.heard.length >= WINDOW) {
      if (shareOfTone(this.heard.splice(0, WINDOW), Number(listenHz)) > 0.8) say("hears the tone");
    }
  }

  close() {
    if (this.signalingState === "closed") return;
    this.signalingState = "closed";
    clearInterval(this.timer);
    this.socket.close();
  }

  addTrack() {}
  getSenders() { return []; }
  getReceivers() { return []; }
}

globalThis.window = globalThis;
globalThis.WebSocket = require("ws");
globalThis.RTCPeerConnection = PeerConnection;
globalThis.RTCSessionDescription = function (description) { return description; };
globalThis.MediaStream = class {};

const JsSIP = require("jssip");
const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri: `sip:${user}@${realm}`,
  password,
  session_timers: false,
  register_expires: 60,
  connection_recovery_min_interval: 1,
  connection_recovery_max_interval: 1,
});
const media = { mediaStream: { getTracks: () => [], clone: () => media.mediaStream }, rtcOfferConstraints: {} };

phone.on("connected", () => say("connected"));
phone.on("disconnected", () => say("disconnected"));
phone.on("registered", () => say("registered"));
phone.on("registrationFailed", ({ cause }) => say(`registration failed: ${cause}`));
let session;
phone.on("newRTCSession", (event) => {
  session = event.session;
  session.on("confirmed", () => say("confirmed"));
  session.on("ended", ({ originator }) => say(`ended by ${originator}`));
  session.on("failed", ({ cause }) => say(`failed: ${cause}`));
  if (event.originator === "remote") {
    say(`called by ${event.request.from.uri.user}`);
    session.answer(media);
  }
});
phone.start();

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, argument] = line.split(" ");
  if (word === "call") phone.call(`sip:${argument}@${realm}`, media);
  if (word === "hang-up") session.terminate();
});
