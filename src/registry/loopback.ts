/** Which names are of this machine. */

/** Whether `host`, with or without a port, is this machine by its name or address. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '')
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}
