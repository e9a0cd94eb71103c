namespace EventBus;

/// <summary>
/// Runs the loops that renew the entries that a receiver holds, take over those of dead or closed consumers, remove
/// dead consumers, and record the position of the group.
/// </summary>
internal sealed class PendingEntryMaintenance
{
    // The multiple of ClaimAfter after which an idle consumer is removed.
    private const int RemoveAfter = 10;

    private static readonly TimeSpan MaxClaimPeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxRecordPeriod = TimeSpan.FromSeconds(10);

    private readonly RedisConsumer consumer;
    private readonly PendingEntryTakeover takeover;
    private readonly PendingEntryRenewal renewal;
    private readonly MaintenanceLoop claiming;
    private readonly MaintenanceLoop sweeping;
    private readonly MaintenanceLoop renewing;
    private readonly MaintenanceLoop expiring;
    private readonly MaintenanceLoop recording;

    /// <summary>Creates the loops.</summary>
    /// <param name="consumer">The consumer.</param>
    /// <param name="entries">The entries that are held.</param>
    /// <param name="dispatcher">Delivers the entries that are taken over.</param>
    /// <param name="settler">Ends the ownership of entries that could not be renewed.</param>
    /// <param name="reading">The read loop, which reports outages.</param>
    public PendingEntryMaintenance(
        RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, EntrySettler settler, RedisReadLoop reading)
    {
        this.consumer = consumer;
        takeover = new PendingEntryTakeover(consumer, entries, dispatcher);
        renewal = new PendingEntryRenewal(consumer, entries, dispatcher, settler);
        var renewPeriod = renewal.Period;
        claiming = Loop("take over entries of dead instances", renewPeriod < MaxClaimPeriod ? renewPeriod : MaxClaimPeriod);
        sweeping = Loop("remove the consumers of dead instances", consumer.ClaimAfter);
        renewing = Loop("renew its entries", renewPeriod);
        expiring = Loop("release entries that it cannot renew", consumer.ClaimAfter / 12);
        recording = Loop("record its position", renewPeriod < MaxRecordPeriod ? renewPeriod : MaxRecordPeriod);

        MaintenanceLoop Loop(string purpose, TimeSpan period) => new(consumer, purpose, period, reading);
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => claiming.Problem ?? renewing.Problem ?? expiring.Problem ?? sweeping.Problem ?? recording.Problem;

    /// <summary>Takes over entries and removes dead consumers, until the intake stops.</summary>
    public Task RunIntakeAsync(CancellationToken stopIntake) => Task.WhenAll(
        sweeping.RunAsync(SweepAsync, stopIntake),

        // In an ordered subscription the read loop of the holder of the lease takes over the entries.
        consumer.Subscription.Ordered ? Task.CompletedTask : claiming.RunAsync(takeover.ClaimAllAsync, stopIntake));

    /// <summary>Renews the entries and records the position of the group, until the receiver is closed.</summary>
    public Task RunAsync(CancellationToken close) => Task.WhenAll(
        renewing.RunAsync(renewal.RenewAllAsync, close),

        // In an ordered subscription the ownership of the entries ends with the lease.
        consumer.Subscription.Ordered ? Task.CompletedTask : expiring.RunAsync(renewal.ExpireAsync, close),

        // A separate loop, because the renewals must not wait for it.
        recording.RunAsync(stop => consumer.Connector.AnswerAsync(consumer.Positions.RecordAsync(), stop), close));

    /// <summary>
    /// Removes dead consumers. An active consumer is never idle for so long: it reads every second, or renews the
    /// entries that it holds.
    /// </summary>
    private Task SweepAsync(CancellationToken stop)
    {
        var idle = (consumer.ClaimAfter * RemoveAfter) + (RedisConnector.BlockTime * 3);
        return consumer.Connector.AnswerAsync(consumer.Members.SweepAsync(idle), stop);
    }
}
