/** A certificate authority of the test's own, and a server certificate that it signs. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TestCertificates {
  /** PEM file of the authority. */
  readonly authority: string
  /** PEM texts for a server. */
  readonly key: string
  readonly cert: string
}

/** Makes them in `folder`; `names` as X.509 has them: `DNS:registry.test`, `IP:127.0.0.1`. */
export function makeCertificates(folder: string, names: readonly string[]): TestCertificates {
  const path = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    '-subj',
    '/CN=tsrun test authority',
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
  )
  openssl(
    'req',
    ...newKey,
    '-subj',
    '/CN=server',
    '-keyout',
    path('server.key'),
    '-out',
    path('server.csr'),
  )
  writeFileSync(path('names'), `subjectAltName=${names.join(',')}\n`)
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    path('server.csr'),
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca.key'),
    '-CAcreateserial',
    '-extfile',
    path('names'),
    '-out',
    path('server.pem'),
  )
  return {
    authority: path('ca.pem'),
    key: readFileSync(path('server.key'), 'utf8'),
    cert: readFileSync(path('server.pem'), 'utf8'),
  }
}
