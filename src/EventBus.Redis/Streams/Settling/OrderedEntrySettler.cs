namespace EventBus;

/// <summary>
/// Settles the entries of an ordered subscription, which one instance at a time reads under a lease. An epoch is a
/// period of uninterrupted delivery under the lease. When it ends, this instance loses all unsettled entries, and they
/// are delivered again in stream order.
/// </summary>
internal sealed class OrderedEntrySettler(RedisConsumer consumer, UnackedEntries entries, RedisLease lease, CancellationToken close)
    : EntrySettler(consumer, entries, close)
{
    private readonly Lock gate = new();

    // Changed under the lock only. Entries that were read under another token are not delivered.
    private volatile DeliveryEpoch? epoch;
    private bool isIntakeStopped;

    /// <summary>The current epoch; null between two epochs.</summary>
    public DeliveryEpoch? Epoch => epoch;

    /// <summary>
    /// Begins an epoch, or continues it under a new token. Delivered entries stay valid if no other instance has held
    /// the lease in between.
    /// </summary>
    /// <param name="taken">The result of <see cref="RedisLease.TryTakeAsync"/>.</param>
    /// <returns>False if this instance does not hold the lease, or its intake has stopped.</returns>
    public bool TryBegin((string Token, bool Continued)? taken)
    {
        lock (gate)
        {
            var isContinued = taken is not null && taken.Value.Continued;
            if (epoch is not null && !isContinued)
            {
                EndEpoch();
            }

            if (taken is null || isIntakeStopped)
            {
                return false;
            }

            epoch = new DeliveryEpoch(taken.Value.Token);
            return true;
        }
    }

    /// <summary>Delivers entries that were read under a token, if its epoch continues.</summary>
    /// <returns>False if the epoch has ended: none was delivered.</returns>
    public bool TryDeliver(string token, IEnumerable<UnackedEntry> read)
    {
        // Under the lock, so that no entry is added after the end of the epoch has removed all of them.
        lock (gate)
        {
            if (epoch?.Token != token)
            {
                return false;
            }

            foreach (var entry in read)
            {
                Entries.AddAndDeliver(entry);
            }

            return true;
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Checks the lease first, because the next event of the key begins after this call. After a pause of the process,
    /// this may be the first check that detects an expired lease.
    /// </remarks>
    public override void Acknowledge(UnackedEntry entry)
    {
        var token = lease.Token;
        if (token is not null && lease.Remaining <= TimeSpan.Zero)
        {
            LoseLease(token);
        }

        base.Acknowledge(entry);
    }

    /// <summary>
    /// Ends the epoch, so that delivery restarts at the released entry. After the intake has stopped, only the later
    /// events of its key are lost, because the other events may still complete.
    /// </summary>
    public override ValueTask ReleaseAsync(UnackedEntry entry)
    {
        lock (gate)
        {
            if (!isIntakeStopped)
            {
                Entries.Remove(entry);
                EndEpoch();
                return ValueTask.CompletedTask;
            }

            // Held as a delivery that the bus never receives. The receiver releases it to the group when it closes.
            var next = entry.NextDelivery();
            next.MayHaveStarted = false;
            if (Entries.TryReplace(entry, next))
            {
                LoseUnsettled(Entries.ToArray().Where(other =>
                    other.Stream == entry.Stream && other.Envelope.Key == entry.Envelope.Key && other.Position > entry.Position));
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    /// <remarks>If an unsettled entry is lost, the epoch ends, so that delivery restarts at this entry.</remarks>
    public override void EndOwnership(IEnumerable<UnackedEntry> lost)
    {
        lock (gate)
        {
            if (LoseUnsettled(lost) > 0)
            {
                EndEpoch();
            }
        }
    }

    public override void GroupsRecreated()
    {
        lock (gate)
        {
            EndEpoch();
        }
    }

    /// <summary>Drops the lease, because another instance holds it or may hold it.</summary>
    public void LoseLease(string token)
    {
        lock (gate)
        {
            lease.Drop(token);
            if (epoch?.Token == token)
            {
                EndEpoch();
            }
        }

        Consumer.Log.LeaseLost(Consumer.Group.Name, token);
    }

    /// <summary>
    /// Removes the deliveries that the bus has not read. Their entries stay held, like the lease, until the bus has
    /// settled the events that it has read; otherwise another instance would overtake them.
    /// </summary>
    public override Task StopAsync()
    {
        _ = RemoveUnstarted();
        return Task.CompletedTask;
    }

    /// <summary>Prevents further epochs.</summary>
    public override void StopIntake()
    {
        lock (gate)
        {
            isIntakeStopped = true;
        }
    }

    private void EndEpoch()
    {
        var ending = epoch;
        epoch = null;
        LoseUnsettled(Entries.ToArray());
        Entries.Drain();
        ending?.End();
    }
}
