using System.Buffers;

namespace EventBus;

/// <summary>Implements <see cref="ISagas"/> for the container.</summary>
internal sealed class SagaClient(CallerContext door) : ISagas
{
    private const int MaxTake = 1_000;
    private const int MaxId = 100;

    private const string NotRunning = "The sagas cannot be reached: the bus has not started or has stopped, or it has no store that keeps sagas. Start the host; add a store, for instance bus.StoreInMemory(), and a saga: bus.AddSaga<TSaga, TState>().";

    private static readonly SearchValues<char> IdChars = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~");

    private volatile SagaManager? desk;

    public void Open(SagaManager opened) => desk = opened;

    public void Close() => desk = null;

    /// <summary>Processes a reply to a saga.</summary>
    public Task ReceiveAsync(string saga, EventContext context, CancellationToken cancellationToken) => Desk().ReceiveAsync(saga, context, cancellationToken);

    public Task<string> StartAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return door.EnterAsync(async () =>
        {
            Check(id);
            return await Desk().StartAsync(state, id, cancellationToken);
        });
    }

    public Task<SagaResult<TState>> RunAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return door.EnterAsync(async () =>
        {
            Check(id);
            var own = Desk();
            return await own.WaitAsync<TState>(await own.StartAsync(state, id, cancellationToken), cancellationToken);
        });
    }

    public Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(id);
        return door.EnterAsync(() => Desk().WaitAsync<TState>(id, cancellationToken));
    }

    public Task<IReadOnlyList<SagaInfo>> ListAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default) =>
        door.EnterAsync<IReadOnlyList<SagaInfo>>(async () => [.. (await Desk().ListAsync(Check(filter), cancellationToken)).Select(SagaInfoMapper.Show)]);

    public Task<SagaInfo?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return door.EnterAsync<SagaInfo?>(async () => await Desk().FindAsync(id, cancellationToken) is { } entry ? SagaInfoMapper.Show(entry) : null);
    }

    public Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default) =>
        door.EnterAsync(async () => await Desk().CountAsync(Check(filter), cancellationToken));

    public Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return door.EnterAsync(() => Desk().RetryAsync(id, cancellationToken));
    }

    public Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return door.EnterAsync(() => Desk().SkipAsync(id, reason, cancellationToken));
    }

    public Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return door.EnterAsync(() => Desk().FinishAsync(id, reason, cancellationToken));
    }

    private static void Check(string? id)
    {
        if (id is not null && (id.Length is 0 or > MaxId || id.AsSpan().ContainsAnyExcept(IdChars)))
        {
            throw new ArgumentException($"The saga id has {id.Length} characters or one that is not allowed: 1 to {MaxId} letters, digits and any of - _ . : ~ make an id. Use an id of your domain, for instance that of the order, or leave it out.", nameof(id));
        }
    }

    private static SagaFilter Check(SagaFilter? filter)
    {
        filter ??= new SagaFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(SagaFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(SagaFilter.Take));
        return filter;
    }

    private SagaManager Desk() => desk ?? throw new EventBusException(NotRunning);
}
