using System.Buffers;

namespace EventBus;

/// <summary>
/// Checks the arguments of <see cref="ISagas"/>, and passes each call to the sagas of the running bus.
/// </summary>
internal sealed class SagaClient(SagaAccess sagas) : ISagas
{
    private const int MaxId = 100;

    private static readonly SearchValues<char> IdChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~");

    public Task<string> StartAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return StartInsideAsync(state, id, cancellationToken);
    }

    public Task<SagaResult<TState>> RunAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return RunInsideAsync(state, id, cancellationToken);
    }

    public Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(id);
        return WaitInsideAsync<TState>(id, cancellationToken);
    }

    public Task<SagaInfo?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return FindInsideAsync(id, cancellationToken);
    }

    private async Task<string> StartInsideAsync<TState>(TState state, string? id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.Leave();
        var running = sagas.Running();
        Check(id);
        return await running.StartAsync(state, id, cancellationToken);
    }

    private async Task<SagaResult<TState>> RunInsideAsync<TState>(TState state, string? id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.Leave();
        var running = sagas.Running();
        Check(id);
        return await running.WaitAsync<TState>(await running.StartAsync(state, id, cancellationToken), cancellationToken);
    }

    private async Task<SagaResult<TState>> WaitInsideAsync<TState>(string id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.Leave();
        return await sagas.Running().WaitAsync<TState>(id, cancellationToken);
    }

    private async Task<SagaInfo?> FindInsideAsync(string id, CancellationToken cancellationToken)
    {
        await sagas.Leave();
        return await sagas.Running().FindAsync(id, cancellationToken) is { } entry ? SagaInfoMapper.ToSagaInfo(entry) : null;
    }

    private static void Check(string? id)
    {
        if (id is not null && (id.Length is 0 or > MaxId || id.AsSpan().ContainsAnyExcept(IdChars)))
        {
            throw new ArgumentException(
                $"The saga id has {id.Length} characters or one that is not allowed: 1 to {MaxId} letters, digits and any of - _ . : ~ "
                    + "are allowed. Use an id of your domain, for instance the id of the order, or leave it out.",
                nameof(id));
        }
    }
}
