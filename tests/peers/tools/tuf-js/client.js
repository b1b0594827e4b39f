// Follows a repository with tuf-js and downloads targets: node client.js FOLDER URL [TARGET…]
// FOLDER/metadata has the first root.json; targets come to FOLDER/targets, under their escaped names.
"use strict";
const path = require("path");
const { Updater } = require("tuf-js");

async function main([folder, url, ...names]) {
  const updater = new Updater({
    metadataDir: path.join(folder, "metadata"),
    metadataBaseUrl: `${url}metadata`,
    targetDir: path.join(folder, "targets"),
    targetBaseUrl: `${url}targets`,
    config: { fetchRetry: 0 },
  });
  await updater.refresh();
  for (const name of names) {
    const target = await updater.getTargetInfo(name);
    if (!target) throw new Error(`${name}: no role that may speak for it lists it`);
    await updater.downloadTarget(target);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
