namespace EventBus;

/// <summary>
/// Settles the entries of an ordered subscription, which one instance at a time reads under a lease. An epoch is a
/// period of uninterrupted delivery under one lease; when it ends, all unsettled entries are lost here, and are
/// delivered again in stream order.
/// </summary>
internal sealed class OrderedEntrySettler(RedisConsumer consumer, UnackedEntries entries, RedisLease lease, CancellationToken close)
    : EntrySettler(consumer, entries, close)
{
    private readonly Lock gate = new();

    // The token of the current epoch; null between two epochs. Entries that were read under another token are not
    // delivered.
    private string? epoch;
    private TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool stopped;

    /// <summary>The fencing token of the current epoch; null between two epochs.</summary>
    public string? Epoch
    {
        get
        {
            lock (gate)
            {
                return epoch;
            }
        }
    }

    /// <summary>Completes when the current epoch has ended.</summary>
    public Task Ended
    {
        get
        {
            lock (gate)
            {
                return ended.Task;
            }
        }
    }

    /// <summary>
    /// Begins an epoch, or continues it under a new token. Delivered entries stay valid if no other instance has held
    /// the lease in between.
    /// </summary>
    /// <param name="taken">The result of the request for the lease.</param>
    /// <returns>False if this instance does not hold the lease, or stops.</returns>
    public bool TryBegin((string Token, bool Continued)? taken)
    {
        lock (gate)
        {
            if (taken is not { Continued: true } && epoch is not null)
            {
                End();
            }

            if (taken is null || stopped)
            {
                return false;
            }

            epoch = taken.Value.Token;
            ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
            if (epoch != token)
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

    /// <summary>
    /// Checks the remaining time of the lease before the next event of a partition begins. After a pause of the
    /// process, this may be the first check that detects an expired lease.
    /// </summary>
    public override void Acknowledge(UnackedEntry entry)
    {
        if (lease.Token is { } token && lease.Remaining <= TimeSpan.Zero)
        {
            LoseLease(token);
        }

        base.Acknowledge(entry);
    }

    /// <summary>
    /// Ends the epoch, so that delivery restarts at the released entry. After the intake has stopped, only the later
    /// events of its key are lost with it, because the other events may still complete.
    /// </summary>
    public override ValueTask ReleaseAsync(UnackedEntry entry)
    {
        lock (gate)
        {
            if (!stopped)
            {
                Entries.Remove(entry);
                End();
                return ValueTask.CompletedTask;
            }

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

    /// <summary>
    /// Marks entries as lost that a consumer has taken without the lease, and ends the epoch, so that delivery
    /// restarts.
    /// </summary>
    public override void EndOwnership(IEnumerable<UnackedEntry> lost)
    {
        lock (gate)
        {
            if (LoseUnsettled(lost) > 0)
            {
                End();
            }
        }
    }

    public override void GroupsRecreated()
    {
        lock (gate)
        {
            End();
        }
    }

    /// <summary>Drops the lease, because another instance holds it or may hold it.</summary>
    public void LoseLease(string token)
    {
        lock (gate)
        {
            lease.Drop(token);
            if (epoch == token)
            {
                End();
            }
        }

        Consumer.Log.LeaseLost(Consumer.Group.Name, token);
    }

    /// <summary>
    /// Stops the delivery. Nothing is released before the taken events are settled; otherwise another instance would
    /// overtake them. Until then the lease is kept.
    /// </summary>
    public override Task StopAsync()
    {
        RemoveUnstarted();
        return Task.CompletedTask;
    }

    /// <summary>Prevents further epochs.</summary>
    public override void StopIntake()
    {
        lock (gate)
        {
            stopped = true;
        }
    }

    private void End()
    {
        epoch = null;
        LoseUnsettled(Entries.ToArray());
        Entries.Drain();
        ended.TrySetResult();
    }
}
