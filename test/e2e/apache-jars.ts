import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The release that weft is tested against. 3.9.6 cannot be had from Maven Central: its parent POM is missing. */
const version = "3.9.5";

/** Artifacts that the server needs and does not declare: it calls them `provided`. */
const artifacts = [
  `org.apache.zookeeper:zookeeper:${version}`,
  "io.dropwizard.metrics:metrics-core:4.1.12.1",
  "org.xerial.snappy:snappy-java:1.1.10.5",
  "ch.qos.logback:logback-classic:1.3.15",
  "commons-cli:commons-cli:1.5.0",
];

/** What Debian's package libzookeeper-java (3.8) brings: it serves where Maven Central cannot be reached. */
const debianFolder = "/usr/share/java";
const debianJars = [
  ...["zookeeper", "zookeeper-jute", "metrics-core", "snappy-java", "commons-cli", "commons-io", "slf4j-api"],
  ...["slf4j-simple", "audience-annotations", "netty-all", "netty-buffer", "netty-codec", "netty-common"],
  ...["netty-handler", "netty-resolver", "netty-transport", "netty-transport-native-epoll"],
  "netty-transport-native-unix-common",
];

const mavenWithinMs = 90_000;

/** Java's class path of Apache ZooKeeper, downloaded once into the user's cache. Throws with what Maven said. */
export function apacheClassPath(): string {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "weft", "zookeeper", version);
  if (existsSync(folder)) return join(folder, "*");
  const why = fetchInto(folder);
  if (why === undefined) return join(folder, "*");
  if (!existsSync(join(debianFolder, "zookeeper.jar"))) throw new Error(why);
  return debianJars.map((name) => join(debianFolder, `${name}.jar`)).join(":");
}

/** Undefined when the folder is there, else why it is not. */
function fetchInto(folder: string): string | undefined {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  const pomFile = join(work, "pom.xml");
  writeFileSync(pomFile, pom());
  const args = ["-q", "-B", "-f", pomFile, "dependency:copy-dependencies", `-DoutputDirectory=${work}`];
  const { status, stdout, stderr, error } = spawnSync("mvn", args, { encoding: "utf8", timeout: mavenWithinMs });
  if (status !== 0) {
    rmSync(work, { recursive: true });
    return `mvn could not fetch ZooKeeper ${version}: ${stdout}${stderr}${error?.message ?? ""}`.slice(0, 2_000);
  }
  rmSync(pomFile);
  renameSync(work, folder);
  return undefined;
}

function pom(): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, release] = artifact.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${release}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>weft.test</groupId>
<artifactId>zookeeper</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("")}</dependencies></project>`;
}
