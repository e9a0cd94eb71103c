using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>Publishes fuzz messages no faster than they are handled, and ticks for the healthy subscription.</summary>
internal sealed class FuzzRun(FuzzGenerator generator, FuzzTransport transport, FuzzDeadLetters letters, FuzzLedger ledger)
{
    private const int FirstOpen = 16;
    private const int MostOpen = 400;
    private const int AtOnce = 32;

    private static readonly TimeSpan LetterInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PublishPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private long readAt;
    private int missing;

    /// <summary>
    /// Publishes all messages, after the first tick was handled: the warm-up of a process for its first events must not
    /// count as a wait.
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

            // Some sends take longer; the others continue.
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
            // All messages were sent.
        }
    }

    /// <summary>
    /// Returns true if nothing has been missing or repeated for a while, or if something has been missing for a long
    /// time.
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
    /// Returns the maximum number of open messages, which is low at first: a new process compiles the code that it
    /// runs, and would do so for hundreds of messages at once on a busy machine.
    /// </summary>
    private static int MostOpenAt(long number) => (int)Math.Min(MostOpen, FirstOpen + (number / 4));

    private async Task WaitAsync(int mostOpen)
    {
        using var timer = new PeriodicTimer(PublishPause);
        while (ledger.Open > mostOpen + missing)
        {
            await ReadLettersAsync();
            await timer.WaitForNextTickAsync();

            // The check reports messages that remain missing. They do not stop the other messages.
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
