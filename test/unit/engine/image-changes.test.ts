/** applyChange(): Dockerfile instructions as docker commit takes them. */
import { describe, expect, it } from 'vitest'
import { applyChange } from '../../../src/engine/image-changes.ts'

describe('applyChange()', () => {
  it.each([
    ['CMD ["a","b c"]', { Cmd: ['a', 'b c'] }],
    ['cmd echo $HOME', { Cmd: ['/bin/sh', '-c', 'echo $HOME'] }],
    ['ENTRYPOINT ["x"]', { Entrypoint: ['x'] }],
    ['ENV A=1 "B=two words" C=\'x y\'', { Env: ['P=/bin', 'A=1', 'B=two words', 'C=x y'] }],
    ['ENV P the rest of it', { Env: ['P=the rest of it'] }],
    ['EXPOSE 80 53/udp', { ExposedPorts: { '80/tcp': {}, '53/udp': {} } }],
    ['LABEL a=b "c d"="e f"', { Labels: { a: 'b', 'c d': 'e f' } }],
    ['USER 1000:1000', { User: '1000:1000' }],
    ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
    ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
    ['WORKDIR sub', { WorkingDir: '/srv/sub' }],
    ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
    ['ONBUILD RUN x', { OnBuild: ['RUN x'] }],
  ])('%s', (change, wanted) => {
    expect(applyChange({ Env: ['P=/bin'], WorkingDir: '/srv' }, change)).toMatchObject(wanted)
  })

  it.each(['RUN x', '', 'CMD', 'ENV A', 'LABEL x', 'EXPOSE http'])('refuses "%s"', (change) => {
    expect(() => applyChange({}, change)).toThrow('cannot use --change')
  })
})
