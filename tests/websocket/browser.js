// The phone of page.js in Chromium: serves the page, starts the browser on it, hands it the orders of standard input,
// and says what it says, a line each.
//
// Usage: node browser.js URL USER PASSWORD REALM TONE_HZ LISTEN_HZ

"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

// Every module that `entry` needs, by its place, with the places of those that it needs itself.
function modulesOf(entry) {
  const modules = new Map();
  const take = (place) => {
    if (modules.has(place)) return;
    const text = fs.readFileSync(place, "utf8");
    const source = place.endsWith(".json") ? `module.exports = ${text};` : text;
    const needs = {};
    modules.set(place, { source, needs });
    for (const [, name] of source.matchAll(/require\(["']([^"']+)["']\)/g)) {
      needs[name] = resolve(name, path.dirname(place));
      take(needs[name]);
    }
  };
  take(entry);
  return modules;
}

// As for a browser: what Node has built in comes from its package, and a package may have another entry.
function resolve(name, from) {
  const place = require.resolve(require("node:module").isBuiltin(name) ? name + "/" : name, { paths: [from] });
  const folder = path.join(from.split("node_modules")[0], "node_modules", name);
  const manifest = path.join(folder, "package.json");
  const browser = fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, "utf8")).browser;
  return typeof browser === "string" ? path.join(folder, browser) : place;
}

function script() {
  const entry = path.join(__dirname, "page.js");
  const modules = [...modulesOf(entry)].map(([place, { source, needs }]) =>
    `${JSON.stringify(place)}: { needs: ${JSON.stringify(needs)}, run(require, module, exports) {${source}\n} }`);
  return `const modules = {${modules.join(",\n")}};
    function load(place) {
      const module = modules[place];
      if (!module.exports) {
        module.exports = {};
        module.run((name) => load(module.needs[name]), module, module.exports);
      }
      return module.exports;
    }
    window.phone = ${JSON.stringify(process.argv.slice(2))};
    load(${JSON.stringify(entry)});`;
}

const orders = [];
let waiting;
const give = () => {
  if (waiting && orders.length > 0) {
    waiting.end(orders.shift());
    waiting = undefined;
  }
};
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  orders.push(line);
  give();
});

const server = http.createServer((request, response) => {
  if (request.url === "/said") {
    let said = "";
    request.on("data", (part) => (said += part)).on("end", () => {
      process.stdout.write(said + "\n");
      response.end();
    });
  } else if (request.url === "/order") {
    waiting = response;
    give();
  } else if (request.url === "/script") {
    response.setHeader("Content-Type", "text/javascript");
    response.end(script());
  } else {
    response.setHeader("Content-Type", "text/html");
    response.end('<!doctype html><meta charset="utf-8"><script src="/script"></script>');
  }
});

server.listen(0, "127.0.0.1", () => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "tandem-browser-"));
  const browser = spawn("chromium", [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", `--user-data-dir=${profile}`,
    // The page begins to sound by itself, media stays on this machine, and the node's certificate is its own.
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
    "--ignore-certificate-errors", `http://127.0.0.1:${server.address().port}/`,
  ], { stdio: "ignore" });
  const leave = () => browser.kill("SIGKILL");
  browser.on("error", (error) => process.stdout.write(`no browser: ${error.message}\n`));
  browser.on("exit", () => {
    // Its other processes may still be writing.
    fs.rm(profile, { recursive: true, force: true, maxRetries: 10 }, () => process.exit());
  });
  // Whoever started this is gone, or wants it to be.
  process.stdin.on("end", leave);
  process.on("SIGTERM", leave);
});
