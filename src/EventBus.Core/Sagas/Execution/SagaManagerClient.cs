namespace EventBus;

/// <summary>
/// Checks the arguments of <see cref="SagaManager"/>, and passes each call to the sagas of the running bus.
/// </summary>
internal sealed class SagaManagerClient(SagaAccess sagas) : SagaManager
{
    private const int MaxTake = 1_000;

    public override async Task<IReadOnlyList<SagaInfo>> ListAsync(
        SagaFilter? filter = null,
        CancellationToken cancellationToken = default)
    {
        await sagas.Leave();
        return [.. (await sagas.Running().ListAsync(Check(filter), cancellationToken)).Select(SagaInfoMapper.ToSagaInfo)];
    }

    public override async Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await sagas.Leave();
        return await sagas.Running().CountAsync(Check(filter), cancellationToken);
    }

    public override Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return RetryInsideAsync(id, cancellationToken);
    }

    public override Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return SkipInsideAsync(id, reason, cancellationToken);
    }

    public override Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return FinishInsideAsync(id, reason, cancellationToken);
    }

    private async Task<bool> RetryInsideAsync(string id, CancellationToken cancellationToken)
    {
        await sagas.Leave();
        return await sagas.Running().RetryAsync(id, cancellationToken);
    }

    private async Task<bool> SkipInsideAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await sagas.Leave();
        return await sagas.Running().SkipAsync(id, reason, cancellationToken);
    }

    private async Task<bool> FinishInsideAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await sagas.Leave();
        return await sagas.Running().FinishAsync(id, reason, cancellationToken);
    }

    private static SagaFilter Check(SagaFilter? filter)
    {
        filter ??= new SagaFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(SagaFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(SagaFilter.Take));
        return filter;
    }
}
