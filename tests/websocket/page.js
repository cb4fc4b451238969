// A phone in a page: JsSIP, and the browser's own WebRTC (DTLS-SRTP, ICE). It registers, takes every call, calls when it
// is told to, speaks a tone, and says what happens.

"use strict";
const JsSIP = require("jssip");

const [url, user, password, realm, toneHz, listenHz] = window.phone;
let saying = Promise.resolve();
const say = (line) => (saying = saying.then(() => fetch("/said", { method: "POST", body: line })));

const context = new AudioContext();
const microphone = context.createMediaStreamDestination();
const level = new GainNode(context, { gain: 0.3 });
const voice = new OscillatorNode(context, { frequency: Number(toneHz) });
voice.connect(level).connect(microphone);
voice.start();

// The part of the samples' power that is a sine of `hz`.
function shareOfTone(samples, hz) {
  let sine = 0, cosine = 0, power = 0;
  samples.forEach((sample, index) => {
    const phase = (2 * Math.PI * hz * index) / context.sampleRate;
    sine += sample * Math.sin(phase);
    cosine += sample * Math.cos(phase);
    power += sample * sample;
  });
  return power < 1e-3 ? 0 : (2 * (sine * sine + cosine * cosine)) / (samples.length * power);
}

// Chromium decodes a remote stream only while something plays it.
function listen(stream) {
  const player = new Audio();
  player.srcObject = stream;
  player.muted = true;
  player.play();
  const ear = new AnalyserNode(context, { fftSize: 8192 });
  context.createMediaStreamSource(stream).connect(ear);
  const samples = new Float32Array(ear.fftSize);
  return setInterval(() => {
    ear.getFloatTimeDomainData(samples);
    if (shareOfTone(samples, Number(listenHz)) > 0.8) say("hears the tone");
  }, 250);
}

const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri: `sip:${user}@${realm}`,
  password,
  session_timers: false,
  register_expires: 60,
});
const media = { mediaStream: microphone.stream, pcConfig: { iceServers: [] } };

phone.on("registered", () => say("registered"));
phone.on("registrationFailed", ({ cause }) => say(`registration failed: ${cause}`));
let session;
phone.on("newRTCSession", (event) => {
  session = event.session;
  let ear;
  const hear = (connection) =>
    connection.addEventListener("track", ({ streams, track }) => {
      ear ??= listen(streams[0] ?? new MediaStream([track]));
    });
  session.on("peerconnection", ({ peerconnection }) => hear(peerconnection));
  if (session.connection) hear(session.connection);
  session.on("confirmed", () => say("confirmed"));
  const over = (line) => {
    clearInterval(ear);
    say(line);
  };
  session.on("ended", ({ originator }) => over(`ended by ${originator}`));
  session.on("failed", ({ cause }) => over(`failed: ${cause}`));
  if (event.originator === "remote") {
    say(`called by ${event.request.from.uri.user}`);
    session.answer(media);
  }
});
phone.start();

async function obey() {
  for (;;) {
    const [word, argument] = (await (await fetch("/order")).text()).split(" ");
    if (word === "call") phone.call(`sip:${argument}@${realm}`, media);
    if (word === "hang-up") session.terminate();
    if (word === "press") session.sendDTMF(argument);
  }
}
obey();
