using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>Publishes fuzz messages no faster than they are handled, and ticks for the healthy subscription.</summary>
internal sealed class FuzzRun(FuzzGenerator generator, FuzzTransport transport, FuzzDeadLetters letters, FuzzLedger ledger)
{
    private const int FirstOpen = 16;
    private const int MostOpen = 400;
    private const int AtOnce = 32;

    private static readonly TimeSpan LetterInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private long readAt;
    private int missing;

    /// <summary>
    /// Publishes every message, from when the first tick was handled: what a process makes ready for its first events
    /// is no wait.
    /// </summary>
    public async Task PublishAsync()
    {
        await Until.TrueAsync("The first tick handled", Patience, () => Task.FromResult(ledger.HasTicked));
        var sending = new List<Task>();
        for (var first = 0L; first < ledger.Messages; first += AtOnce)
        {
            await WaitAsync(MostOpenAt(first));
            for (var number = first; number < Math.Min(first + AtOnce, ledger.Messages); number++)
            {
                sending.Add(SendAsync(number));
            }

            // Some take the broker longer, and the others go on.
            await Task.WhenAll(sending.FindAll(task => task.IsCompleted));
            sending.RemoveAll(task => task.IsCompletedSuccessfully);
        }

        await Task.WhenAll(sending);
    }

    public async Task TickAsync(TimeSpan interval, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            for (var number = 0L; await timer.WaitForNextTickAsync(cancellationToken); number++)
            {
                ledger.TickSent(number);
                await transport.PublishTickAsync(number);
            }
        }
        catch (OperationCanceledException)
        {
            // All that were to be sent are sent.
        }
    }

    /// <summary>
    /// Nothing is missing and nothing came twice for a while, or what is missing has been missing for long.
    /// </summary>
    public async Task<bool> IsDoneAsync()
    {
        await ReadLettersAsync();
        return ledger.Silence > Patience || (ledger.Silence > Quiet && !ledger.Lost().Any());
    }

    private async Task SendAsync(long number)
    {
        var message = generator.Make(number);
        ledger.Sent(message, message.Number == number ? message.Kind : FuzzKind.Copy);
        if (!await transport.PublishAsync(message))
        {
            ledger.Refuse(message);
        }
    }

    /// <summary>
    /// Few at first: a process that is new has to compile what it runs, and on a busy machine it would do that for
    /// hundreds at once.
    /// </summary>
    private static int MostOpenAt(long number) => (int)Math.Min(MostOpen, FirstOpen + (number / 4));

    private async Task WaitAsync(int mostOpen)
    {
        using var timer = new PeriodicTimer(Breath);
        while (ledger.Open > mostOpen + missing)
        {
            await ReadLettersAsync();
            await timer.WaitForNextTickAsync();

            // What is not found again in the end is reported by the check, and does not stop the rest.
            missing = ledger.Silence > Patience ? ledger.Open : missing;
        }
    }

    private async Task ReadLettersAsync()
    {
        if (Stopwatch.GetElapsedTime(readAt) > LetterInterval)
        {
            await letters.ReadAsync();
            readAt = Stopwatch.GetTimestamp();
        }
    }
}
