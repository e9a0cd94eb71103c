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
        await sagas.LeaveCallerContext();
        var entries = await sagas.Running().ListAsync(CheckFilter(filter), cancellationToken);
        return [.. entries.Select(SagaInfoMapper.ToSagaInfo)];
    }

    public override async Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await sagas.LeaveCallerContext();
        return await sagas.Running().CountAsync(CheckFilter(filter), cancellationToken);
    }

    public override Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return RetryCoreAsync(id, cancellationToken);
    }

    public override Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return SkipCoreAsync(id, reason, cancellationToken);
    }

    public override Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return FinishCoreAsync(id, reason, cancellationToken);
    }

    private async Task<bool> RetryCoreAsync(string id, CancellationToken cancellationToken)
    {
        await sagas.LeaveCallerContext();
        return await sagas.Running().RetryAsync(id, cancellationToken);
    }

    private async Task<bool> SkipCoreAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await sagas.LeaveCallerContext();
        return await sagas.Running().SkipAsync(id, reason, cancellationToken);
    }

    private async Task<bool> FinishCoreAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await sagas.LeaveCallerContext();
        return await sagas.Running().FinishAsync(id, reason, cancellationToken);
    }

    /// <summary>Returns the filter, or the default filter for null. Throws if it is not valid.</summary>
    private static SagaFilter CheckFilter(SagaFilter? filter)
    {
        filter ??= new SagaFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(SagaFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(SagaFilter.Take));
        return filter;
    }
}
