namespace EventBus.Stores;

/// <summary>A saga store that may not answer, even if the tokens of its calls are cancelled.</summary>
internal sealed class SilentSagaStore(SagaStore inner, Func<Task> answering) : SagaStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    /// <summary>True to answer that each id is in use.</summary>
    public bool Denies { get; set; }

    public int Creates { get; private set; }

    public override async ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Creates++;
        await answering();
        return !Denies && await inner.CreateAsync(entry, cancellationToken);
    }

    public override async ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.FindAsync(id, cancellationToken);
    }

    public override async ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.SaveAsync(entry, cancellationToken);
    }

    public override async ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListDueAsync(sagas, now, max, cancellationToken);
    }

    public override async ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListAlertsAsync(now, max, cancellationToken);
    }

    public override async ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.FindWaitingAsync(waitKey, max, cancellationToken);
    }

    public override async ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListAsync(filter, cancellationToken);
    }

    public override async ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.CountAsync(filter, cancellationToken);
    }

    public override async ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.SweepAsync(now, max, cancellationToken);
    }
}
