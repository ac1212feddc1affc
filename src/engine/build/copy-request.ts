/** What COPY and ADD ask of whoever copies: everything is expanded, and says nothing of stages or caches. */
import type { OwnedFd } from '../../native/owned-fd.ts'
import type { Downloads } from './downloads.ts'

/** A file that stands in the Dockerfile itself. */
export interface InlineFile {
  readonly name: string
  readonly content: string
}

export interface CopySources {
  readonly kind: 'copy' | 'add'
  /** The build context, or the root of another stage or image. */
  readonly folder: OwnedFd
  /** What `folder` is called in messages: `the build context`, `stage "build"`. */
  readonly folderName: string
  /** Text of the .dockerignore, with its path for messages; a stage has none. */
  readonly ignore: { readonly path: string; readonly text: string } | undefined
  /** Paths and globs below `folder`. */
  readonly patterns: readonly string[]
  readonly inline: readonly InlineFile[]
  /** Values of `--exclude`. */
  readonly excludes: readonly string[]
  /** Keep the folders of a source's path (`--parents`). */
  readonly parents: boolean
  /** Without `chown`: owners stay as they are (from a stage), else all becomes root's (from the context). */
  readonly keepOwners: boolean
  /** Of ADD: the digest that a download must have. */
  readonly checksum?: string | undefined
  /** Where `http:` and `https:` sources of ADD come from, and stay until the build ends. */
  readonly downloads?: Downloads
}

export interface CopyRequest extends CopySources {
  /** The root filesystem to copy into; nothing in it is trusted. */
  readonly root: OwnedFd
  /** What a relative destination is below. */
  readonly workingDirectory: string
  /** With a slash at its end a folder. */
  readonly destination: string
  /** `user[:group]`, names looked up in `root`. */
  readonly chown: string | undefined
  /** The destination does not depend on what is in the root: none of its links is followed (`--link`). */
  readonly link?: boolean
  /** Octal, or symbolic as chmod(1) has it. */
  readonly chmod: string | undefined
  /**
   * Nanoseconds that no time may be after, and what is made for the copy's sake gets; undefined for the times
   * of the sources.
   */
  readonly latestTime: bigint | undefined
  /** Hears, in a sentence, of what is left out: a socket, a device where nobody may make one. */
  readonly warn?: (message: string) => void
}
