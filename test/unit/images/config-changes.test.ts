import { describe, expect, it } from 'vitest'
import { applyChanges } from '../../../src/images/config-changes.ts'

describe('applyChanges()', () => {
  it.each([
    ['CMD ["a","b"]', { Cmd: ['a', 'b'] }],
    ['CMD=a b', { Cmd: ['/bin/sh', '-c', 'a b'] }],
    ['entrypoint ["x"]', { Entrypoint: ['x'] }],
    ['ENV A=1 B="two words" C=a\\ b', { Env: ['A=1', 'B=two words', 'C=a b'] }],
    ['ENV A the old form', { Env: ['A=the old form'] }],
    ["LABEL a='it''s' b.c=d", { Labels: { a: 'its', 'b.c': 'd' } }],
    ['EXPOSE 80 53/udp 1-3', { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '1-3/tcp': {} } }],
    ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
    ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
    ['USER 1:2', { User: '1:2' }],
    ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
    ['ONBUILD RUN x', { OnBuild: ['RUN x'] }],
    ['WORKDIR /x', { WorkingDir: '/x' }],
  ])('understands %s', (change, config) => {
    expect(applyChanges({}, [change])).toEqual(config)
  })

  it('applies changes in order on what is there', () => {
    const changes = ['ENV A=2', 'WORKDIR b', 'WORKDIR /c', 'WORKDIR d']
    expect(applyChanges({ Env: ['B=1', 'A=1'], WorkingDir: '/a' }, changes)).toEqual({
      Env: ['B=1', 'A=2'],
      WorkingDir: '/c/d',
    })
  })

  it.each(['RUN x', 'CMD', 'ENV', 'ENV a', 'ENV a=1 b', 'CMD [1]', 'CMD [', 'EXPOSE x', ''])(
    'refuses %j',
    (change) => {
      expect(() => applyChanges({}, [change])).toThrow(/^cannot use the change /)
    },
  )

  it('has no prototype to reach by a label', () => {
    const { Labels = {} } = applyChanges({}, ['LABEL __proto__=x'])
    expect(Object.keys(Labels)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf({})).not.toHaveProperty('x')
  })
})
