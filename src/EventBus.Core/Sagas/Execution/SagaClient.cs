using System.Buffers;

namespace EventBus;

/// <summary>
/// Checks the arguments of <see cref="ISagas"/>, and passes each call to the sagas of the running bus.
/// </summary>
internal sealed class SagaClient(SagaAccess sagas) : ISagas
{
    private const int MaxIdLength = 100;

    private static readonly SearchValues<char> IdChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~");

    public Task<string> StartAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return StartCoreAsync(state, id, cancellationToken);
    }

    public Task<SagaResult<TState>> RunAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(state);
        return RunCoreAsync(state, id, cancellationToken);
    }

    public Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken = default)
        where TState : notnull
    {
        ArgumentNullException.ThrowIfNull(id);
        return WaitCoreAsync<TState>(id, cancellationToken);
    }

    public Task<SagaInfo?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return FindCoreAsync(id, cancellationToken);
    }

    private async Task<string> StartCoreAsync<TState>(TState state, string? id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.LeaveCallerContext();
        var running = sagas.Running();
        CheckId(id);
        return await running.StartAsync(state, id, cancellationToken);
    }

    private async Task<SagaResult<TState>> RunCoreAsync<TState>(TState state, string? id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.LeaveCallerContext();
        var running = sagas.Running();
        CheckId(id);
        var startedId = await running.StartAsync(state, id, cancellationToken);
        return await running.WaitAsync<TState>(startedId, cancellationToken);
    }

    private async Task<SagaResult<TState>> WaitCoreAsync<TState>(string id, CancellationToken cancellationToken)
        where TState : notnull
    {
        await sagas.LeaveCallerContext();
        return await sagas.Running().WaitAsync<TState>(id, cancellationToken);
    }

    private async Task<SagaInfo?> FindCoreAsync(string id, CancellationToken cancellationToken)
    {
        await sagas.LeaveCallerContext();
        var entry = await sagas.Running().FindAsync(id, cancellationToken);
        return entry is null ? null : SagaInfoMapper.ToSagaInfo(entry);
    }

    private static void CheckId(string? id)
    {
        if (id is not null && (id.Length is 0 or > MaxIdLength || id.AsSpan().ContainsAnyExcept(IdChars)))
        {
            throw new ArgumentException(
                $"The saga id ({id.Length} characters) is invalid: 1 to {MaxIdLength} letters, digits and any of - _ . : ~ are allowed. "
                    + "Use an id of your domain, for instance the id of the order, or leave it out.",
                nameof(id));
        }
    }
}
