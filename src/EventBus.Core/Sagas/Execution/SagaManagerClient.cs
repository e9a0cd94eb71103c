namespace EventBus;

/// <summary>
/// Checks the arguments of <see cref="SagaManager"/>, and passes each call to the sagas of the running bus.
/// </summary>
internal sealed class SagaManagerClient(SagaAccess sagas) : SagaManager
{
    private const int MaxTake = 1_000;

    public override Task<IReadOnlyList<SagaInfo>> ListAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default) =>
        sagas.EnterAsync<IReadOnlyList<SagaInfo>>(
            async running => [.. (await running.ListAsync(Check(filter), cancellationToken)).Select(SagaInfoMapper.ToSagaInfo)]);

    public override Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default) =>
        sagas.EnterAsync(running => running.CountAsync(Check(filter), cancellationToken));

    public override Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return sagas.EnterAsync(running => running.RetryAsync(id, cancellationToken));
    }

    public override Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return sagas.EnterAsync(running => running.SkipAsync(id, reason, cancellationToken));
    }

    public override Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return sagas.EnterAsync(running => running.FinishAsync(id, reason, cancellationToken));
    }

    private static SagaFilter Check(SagaFilter? filter)
    {
        filter ??= new SagaFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(SagaFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(SagaFilter.Take));
        return filter;
    }
}
