/** The version of imagemill, as heartbeats and `--version` tell it. A test holds it equal to package.json's. */
export const version = "0.1.0";
