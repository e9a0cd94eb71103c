namespace EventBus.Proof;

/// <summary>Reads the dead letters in a store: lists the newest ones up to the first known one.</summary>
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
                var number = FuzzMark.Find(envelope.Body.Span, envelope.Id, envelope.Key, envelope.Headers);
                ledger.AddDeadLetter(number, entry.Reason, entry.Error);
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
