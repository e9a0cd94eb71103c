using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Hands events to the sender, for each topic in the order of the calls. While an event cannot be sent, it and all
/// later ones of its topic wait; each call ends at its own deadline, so that the number of those that wait is limited
/// by the callers. Thread-safe.
/// </summary>
/// <param name="sender">Sends events.</param>
/// <param name="topics">Creates a missing topic.</param>
/// <param name="address">The addresses of the brokers, for errors.</param>
internal sealed class SendQueue(KafkaSender sender, KafkaTopics topics, string address)
{
    // Something may make room without a signal, for instance the queue of the client.
    private static readonly TimeSpan CheckPeriod = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();

    // The calls that wait, for each topic. A call with events of several topics is in several queues, and is sent when
    // it is the first in each of them.
    private readonly Dictionary<string, Queue<PublishCall>> waiting = new(StringComparer.Ordinal);
    private readonly SendSignal wake = new();
    private volatile bool isWaiting;

    /// <summary>
    /// Sends the prepared events of a call, at once if no other call waits. The call waits only when all of its events
    /// are prepared: until then its caller calls again.
    /// </summary>
    public void Send(PublishCall call)
    {
        // Calls that run at the same time have no order, so they need no lock while nothing waits. A call that is made
        // after another has returned sees that it waits.
        if ((!isWaiting && sender.TrySend(call)) || call.Prepared < call.Count)
        {
            return;
        }

        lock (gate)
        {
            var mayBeSent = waiting.Count == 0 || !call.GetTopicsToSend().Any(waiting.ContainsKey);
            if (mayBeSent && sender.TrySend(call))
            {
                return;
            }

            Enqueue(call);
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
        PublishCall? withoutTopic;
        lock (gate)
        {
            // A call of several topics may be the first in one of them only after the others were sent from.
            while (waiting.Keys.ToList().FindAll(SendFrom).Count > 0)
            {
            }

            isWaiting = waiting.Count > 0;
            withoutTopic = waiting.Values.Select(queue => queue.Peek())
                .FirstOrDefault(call => IsFirst(call) && sender.MissingTopicOf(call) is not null);
        }

        if (!isWaiting)
        {
            await wake.WaitAsync(stop);
        }
        else if (withoutTopic is not null && sender.MissingTopicOf(withoutTopic) is { } missing)
        {
            await CreateTopicAsync(withoutTopic, missing, stop);
        }
        else
        {
            await wake.WaitAsync(CheckPeriod, time, stop);
        }
    }

    private void Enqueue(PublishCall call)
    {
        foreach (var topic in call.GetTopicsToSend())
        {
            if (!waiting.TryGetValue(topic, out var queue))
            {
                queue = [];
                waiting.Add(topic, queue);
            }

            queue.Enqueue(call);
        }
    }

    /// <summary>
    /// Sends the calls of a topic up to the first that cannot be sent; false if there was none to send.
    /// </summary>
    private bool SendFrom(string topic)
    {
        var queue = waiting[topic];
        var before = queue.Count;
        while (queue.TryPeek(out var call) && (call.IsOver || (IsFirst(call) && sender.TrySend(call))))
        {
            queue.Dequeue();
        }

        if (queue.Count == 0)
        {
            waiting.Remove(topic);
        }

        return queue.Count < before;
    }

    private bool IsFirst(PublishCall call) =>
        call.GetTopicsToSend().All(topic => waiting.TryGetValue(topic, out var queue) && queue.Peek() == call);

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
