/** The folder and the file of a database: for its owner alone, and on a disk that SQLite can work on. */
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, statfsSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { LedgerError } from "../../errors/LedgerError.js"

/** What a disk is: the number that Linux gives its kind, and its kind's name where the number says too little. */
export interface Disk {
  readonly type: number
  readonly name: string | undefined
}

const fuse = 0x65735546

/** Kinds of disks over a network: locks there are not to be relied on, and memory is not shared. */
const networks: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x564c, "NCP"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"]
])

const overNetwork =
  /sshfs|s3fs|s3|rclone|gluster|gcsfuse|ceph|davfs|curlftp|juicefs|goofys|blobfuse|azure|hdfs|moosefs|mfs|lizard|seaweed|nfs|smb/i

/** The kind of the mount that a path is on, by the table of mounts: `fuse.sshfs`. */
const mountedAs = (path: string): string | undefined => {
  let best: readonly [string, string | undefined] = ["", undefined]
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [before, after] = line.split(" - ")
    const mount = before?.split(" ")[4]
    if (mount === undefined || mount.length < best[0].length) continue
    const isBelow = mount === "/" || path === mount || path.startsWith(`${mount}/`)
    if (isBelow) best = [mount, after?.split(" ")[0]]
  }
  return best[1]
}

/** The disk that a folder is on, where Linux tells; undefined elsewhere. */
const diskOf = (folder: string): Disk | undefined => {
  if (process.platform !== "linux") return undefined
  const type = statfsSync(folder).type >>> 0
  return { type, name: type === fuse ? mountedAs(resolve(folder)) : undefined }
}

/** What a disk is called, when it is one over a network. */
const networkOf = (disk: Disk): string | undefined => {
  const known = networks.get(disk.type)
  if (known !== undefined) return known
  return disk.type === fuse && disk.name !== undefined && overNetwork.test(disk.name) ? disk.name : undefined
}

const codeOf = (thrown: unknown): string => String((thrown as NodeJS.ErrnoException)?.code)

const whatHelps: Readonly<Record<string, readonly [LedgerError["reason"], string]>> = {
  EACCES: ["place", "this user may not: choose another folder, or give it the rights"],
  EPERM: ["place", "this user may not: choose another folder, or give it the rights"],
  EROFS: ["readOnly", "the disk can only be read: choose another folder"],
  ENOSPC: ["full", "no space is left on the disk: free some"],
  EDQUOT: ["full", "the quota of this user is used up: free some"],
  ENOTDIR: ["place", "a part of the path is no folder: choose another folder"],
  EEXIST: ["place", "there is a file where a folder is wanted: choose another folder"],
  EISDIR: ["place", "there is a folder of that name: choose another file"]
}

/** What the file system said about a path, as the ledger's error. */
export const errorOf = (thrown: unknown, path: string): LedgerError => {
  if (thrown instanceof LedgerError) return thrown
  const [reason, help] = whatHelps[codeOf(thrown)] ?? ["place", codeOf(thrown)]
  return new LedgerError({ reason, description: `${path} can't be made or opened: ${help}` })
}

/** Makes a folder for its owner alone, and refuses one over a network. One that is there keeps its rights. */
export const folder = (
  path: string,
  look: (folder: string) => Disk | undefined = diskOf
): Effect.Effect<void, LedgerError> =>
  Effect.try({
    try: () => {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      const disk = look(path)
      const network = disk === undefined ? undefined : networkOf(disk)
      if (network !== undefined) {
        throw new LedgerError({
          reason: "place",
          description: `${path} is on a disk over a network (${network}), where SQLite loses data: choose a local folder, or Postgres`
        })
      }
    },
    catch: (thrown) => errorOf(thrown, path)
  })

/** Makes a file for its owner alone; one that is there loses the rights of others. SQLite gives its other files the same. */
export const file = (path: string): Effect.Effect<void, LedgerError> =>
  Effect.try({
    try: () => {
      closeSync(openSync(path, "a", 0o600))
      try {
        chmodSync(path, 0o600)
      } catch {
        // Another user's file that this one may write: its rights are that user's business.
      }
    },
    catch: (thrown) => errorOf(thrown, path)
  })

/** The folder of a file. */
export const folderOf = (path: string): string => dirname(resolve(path))
