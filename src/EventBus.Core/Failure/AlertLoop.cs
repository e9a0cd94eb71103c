using System.Threading.Channels;
using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Alerts people, off the path of events: a dead alert never blocks the bus.</summary>
internal sealed class AlertLoop(IReadOnlyList<IDeadLetterAlert> alerts, TimeProvider time, ILogger log)
{
    private const int Attempts = 4;
    private const int Capacity = 1_000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Backoff = TimeSpan.FromSeconds(1);

    private readonly Channel<DeadLetter> raised = Channel.CreateBounded<DeadLetter>(new BoundedChannelOptions(Capacity) { SingleReader = true });
    private long pending;
    private long passedOver;

    /// <summary>Called after an alert was dealt with.</summary>
    public Action? Settled { get; set; }

    /// <summary>Nothing waits to be sent.</summary>
    public bool IsIdle => Interlocked.Read(ref pending) == 0;

    /// <summary>Counts an alert that may follow.</summary>
    public Expectation Expect()
    {
        Interlocked.Increment(ref pending);
        return new Expectation(this);
    }

    /// <summary>Logs the dead letter, and hands it to the alerts. Never waits: what does not fit is counted and told of together.</summary>
    public void Raise(FailedEvent entry, Exception? exception)
    {
        log.DeadLettered(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Reason, entry.Starts, entry.Id, entry.Error, exception);
        if (alerts.Count == 0)
        {
            return;
        }

        Interlocked.Increment(ref pending);
        if (!raised.Writer.TryWrite(DeadLetters.Show(entry)))
        {
            Interlocked.Increment(ref passedOver);
            Settle();
        }
    }

    public async Task RunAsync(CancellationToken stop)
    {
        while (await raised.Reader.WaitToReadAsync(stop))
        {
            while (raised.Reader.TryRead(out var deadLetter))
            {
                foreach (var alert in alerts)
                {
                    await SendAsync(alert, deadLetter, stop);
                }

                Settle();
            }

            if (Interlocked.Exchange(ref passedOver, 0) is > 0 and var count)
            {
                log.AlertsPassedOver(count);
            }
        }
    }

    private async Task SendAsync(IDeadLetterAlert alert, DeadLetter deadLetter, CancellationToken stop)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var timeout = new CancellationTokenSource(Timeout, time);
                using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);
                await alert.AlertAsync(deadLetter, linked.Token).WaitAsync(linked.Token);
                return;
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                log.AlertFailed(alert.GetType(), deadLetter.Id, attempt, Attempts, exception);
            }

            if (attempt == Attempts)
            {
                return;
            }

            await Task.Delay(Backoff * attempt, time, stop);
        }
    }

    private void Settle()
    {
        Interlocked.Decrement(ref pending);
        Settled?.Invoke();
    }

    /// <summary>Ends when what it stands for is counted in its own right.</summary>
    public readonly struct Expectation(AlertLoop? loop) : IDisposable
    {
        public void Dispose() => loop?.Settle();
    }
}
