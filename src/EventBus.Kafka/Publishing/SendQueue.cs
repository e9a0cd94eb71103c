using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Hands events to the sender in the order of the calls. While an event cannot be sent, it and all later ones wait;
/// each call ends at its own deadline, so that the number of those that wait is limited by the callers. Thread-safe.
/// </summary>
/// <param name="sender">Sends events.</param>
/// <param name="topics">Creates a missing topic.</param>
/// <param name="address">The addresses of the brokers, for errors.</param>
internal sealed class SendQueue(KafkaSender sender, KafkaTopics topics, string address)
{
    // Something may make room without a signal, for instance the queue of the client.
    private static readonly TimeSpan CheckPeriod = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private readonly Queue<PublishCall> waiting = [];
    private readonly SendSignal wake = new();
    private volatile bool isWaiting;

    /// <summary>Sends the events of a call, at once if no other call waits.</summary>
    public void Send(PublishCall call)
    {
        lock (gate)
        {
            if (waiting.Count == 0 && sender.TrySend(call))
            {
                return;
            }

            waiting.Enqueue(call);
            isWaiting = true;
        }

        wake.Give();
    }

    /// <summary>Reports that an event that waits may be sent now.</summary>
    public void Wake()
    {
        if (isWaiting)
        {
            wake.Give();
        }
    }

    /// <summary>Sends what waits, until it is stopped. Never throws.</summary>
    public Task RunAsync(TimeProvider time, ILogger log, CancellationToken stop)
    {
        var loop = new SupervisedLoop(
            "sending events that wait",
            time,
            log,
            static (log, delay, exception) => log.SendingFailed(delay, exception.Message, exception));
        return loop.RunAsync(
            async stopped =>
            {
                while (true)
                {
                    await SendNextAsync(time, stopped);
                    loop.Progressed();
                }
            },
            stop);
    }

    private async Task SendNextAsync(TimeProvider time, CancellationToken stop)
    {
        PublishCall? blocked;
        lock (gate)
        {
            while (waiting.TryPeek(out blocked) && (blocked.IsClosed || sender.TrySend(blocked)))
            {
                waiting.Dequeue();
            }

            isWaiting = waiting.Count > 0;
        }

        if (blocked is null)
        {
            await wake.WaitAsync(stop);
        }
        else if (sender.MissingTopicOf(blocked) is { } topic)
        {
            await CreateTopicAsync(blocked, topic, stop);
        }
        else
        {
            await wake.WaitAsync(CheckPeriod, time, stop);
        }
    }

    private async Task CreateTopicAsync(PublishCall call, string topic, CancellationToken stop)
    {
        try
        {
            await topics.EnsureAsync(topic, stop);
        }
        catch (Exception exception) when (exception is EventBusException || KafkaErrors.IsCallFailure(exception))
        {
            // The bus sends the event again until its deadline: the topic may be created meanwhile.
            call.Report(
                call.Next,
                PublishOutcome.Failed(new EventBusException(
                    $"Kafka at {address} has no topic '{topic}' for the event: {exception.Message}", exception)));
        }
    }
}
