namespace EventBus.Proof;

/// <summary>
/// Publishes a few hundred events a second unless it is paused, so that each fault affects calls in flight.
/// </summary>
internal sealed class SignalSource(Publishing publisher)
{
    public const string EventName = "signal.sent";

    private const int MostAtOnce = 200;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    private volatile bool paused = true;
    private Task running = Task.CompletedTask;
    private int last = -1;

    /// <summary>The publisher's outcome of each number.</summary>
    public IEnumerable<Outcome> Outcomes => publisher.Outcomes.Take(last + 1);

    /// <summary>Returns the numbers of the accepted events.</summary>
    public IEnumerable<long> Accepted() => Outcomes.Index().Where(item => item.Item == Outcome.Accepted).Select(item => (long)item.Index);

    /// <summary>Subscribes a victim, which records the handled events.</summary>
    public static void Subscribe(EventBusBuilder bus, string subscription, Journal journal) =>
        bus.Subscribe(subscription, s => s.On<Signal>((signal, context, _) =>
        {
            journal.Write(Kind.Start, signal.Number, context.Attempt);
            journal.Write(Kind.End, signal.Number, context.Attempt);
            return Task.CompletedTask;
        }));

    public void Resume()
    {
        if (paused)
        {
            paused = false;
            running = RunAsync();
        }
    }

    /// <summary>Pauses, and waits until all calls have ended.</summary>
    public async Task PauseAsync()
    {
        paused = true;
        await running;
    }

    /// <summary>Sends one event.</summary>
    /// <param name="number">Its number.</param>
    public Task SendAsync(out long number)
    {
        number = Interlocked.Increment(ref last);
        return publisher.PublishAsync(number, new Signal(number));
    }

    private async Task RunAsync()
    {
        using var places = new SemaphoreSlim(MostAtOnce);
        using var timer = new PeriodicTimer(Interval);
        var sending = new List<Task>();
        while (!paused)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            await places.WaitAsync(CancellationToken.None);
            sending.RemoveAll(task => task.IsCompletedSuccessfully);
            sending.Add(SendInPlaceAsync(places));
        }

        await Task.WhenAll(sending);
    }

    private async Task SendInPlaceAsync(SemaphoreSlim places)
    {
        try
        {
            await SendAsync(out _);
        }
        finally
        {
            places.Release();
        }
    }
}
