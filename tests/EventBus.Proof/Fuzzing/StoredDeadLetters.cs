namespace EventBus.Proof;

/// <summary>Dead letters in a store: the newest are listed until one comes that is known.</summary>
internal sealed class StoredDeadLetters(StoreProbe probe, FuzzLedger ledger) : FuzzDeadLetters
{
    private const int PageSize = 100;

    private long last;

    public override async Task ReadAsync()
    {
        var (known, before) = (last, (long?)null);
        while (true)
        {
            var page = await probe.Failures.DeadLetters.ListAsync(
                new DeadLetterFilter { Take = PageSize, Before = before },
                CancellationToken.None);
            foreach (var entry in page)
            {
                if (entry.Number <= known)
                {
                    return;
                }

                last = Math.Max(last, entry.Number);
                var envelope = entry.Envelope;
                ledger.Bury(FuzzMark.Find(envelope.Body.Span, envelope.Id, envelope.Key, envelope.Headers), entry.Reason, entry.Error);
            }

            if (page.Count < PageSize)
            {
                return;
            }

            before = page[^1].Number;
        }
    }

    public override ValueTask DisposeAsync() => probe.DisposeAsync();
}
