/** Types of the recipe, which is JavaScript so that `npm run hello` runs it before anything is built. */

/** Path of an OCI archive of `docker.io/library/busybox:latest`, built at the first call and kept. */
export function buildBusyboxImage(): Promise<string>

/** Writes the image's root filesystem into the new directory `directory`; owners are the caller's. */
export function buildBusyboxRootfs(directory: string): void
