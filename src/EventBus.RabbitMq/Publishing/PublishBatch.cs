using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the events of one publish call. Each event gets one outcome, from the first of these that happens: a confirm,
/// the loss of the channel, the deadline, or the stop of the bus. Thread-safe.
/// </summary>
internal sealed class PublishBatch(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes)
{
    private readonly Lock gate = new();
    private readonly State[] states = new State[batch.Length];
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private KeyOrder order;

    // The event whose outcome a caller awaits (WhenConcluded); null for none.
    private TaskCompletionSource? awaited;
    private int awaitedIndex;

    // The number of events without an outcome.
    private int remaining = batch.Length;

    private enum State : byte
    {
        Waiting,
        Sent,
        Concluded,
    }

    public int Count => states.Length;

    /// <summary>Completes when every outcome is known. The caller's memory is not accessed afterwards.</summary>
    public Task Done => done.Task;

    /// <summary>
    /// Returns an event to send, and marks it as sent: from now on it may reach a consumer. Null if it must no longer
    /// be sent.
    /// </summary>
    public Envelope? Take(int index)
    {
        lock (gate)
        {
            if (states[index] != State.Waiting)
            {
                return null;
            }

            var envelope = batch.Span[index];
            if (order.IsHeldBack(envelope.Key))
            {
                ConcludeLocked(index, KeyOrder.NotSent);
                return null;
            }

            var problem = RabbitMqWireFormat.FindProblem(envelope);
            if (problem is not null)
            {
                ConcludeLocked(index, PublishOutcome.Rejected(new InvalidOperationException(problem)));
                return null;
            }

            states[index] = State.Sent;
            return envelope;
        }
    }

    /// <summary>
    /// Returns an event that was sent and may have been accepted, to send it again. Null if it must no longer be sent.
    /// </summary>
    public Envelope? TakeAgain(int index)
    {
        lock (gate)
        {
            if (states[index] == State.Sent && order.IsHeldBack(batch.Span[index].Key))
            {
                ConcludeLocked(index, PublishOutcome.InDoubt(new InvalidOperationException(
                    "RabbitMQ closed the channel before the confirm, and an earlier event of the same key was not accepted when it was "
                        + "sent again.")));
            }

            return states[index] == State.Sent ? batch.Span[index] : null;
        }
    }

    /// <summary>Marks an event as waiting again, because the broker certainly did not receive it.</summary>
    public void PutBack(int index)
    {
        lock (gate)
        {
            if (states[index] == State.Sent)
            {
                states[index] = State.Waiting;
            }
        }
    }

    /// <summary>Completes when the outcome of one event is known. Only one event can be awaited at a time.</summary>
    public Task WhenConcluded(int index)
    {
        lock (gate)
        {
            if (states[index] == State.Concluded)
            {
                return Task.CompletedTask;
            }

            awaitedIndex = index;
            awaited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return awaited.Task;
        }
    }

    /// <summary>Sets the outcome of an event. Does nothing if it is already set.</summary>
    public void Conclude(int index, PublishOutcome outcome)
    {
        lock (gate)
        {
            ConcludeLocked(index, outcome);
        }
    }

    /// <summary>Sets the remaining outcomes after the deadline.</summary>
    public void CloseAtDeadline() => Close(static wasSent => new TimeoutException(wasSent
        ? "RabbitMQ did not confirm the event in time."
        : "The event could not be sent to RabbitMQ in time, because the broker is unreachable, blocks publishers, or is too slow for the "
            + "number of events."));

    /// <summary>Sets the remaining outcomes when the bus stops.</summary>
    public void CloseAtStop() => Close(static wasSent => new InvalidOperationException(wasSent
        ? "The bus stopped before RabbitMQ had confirmed the event."
        : "The bus stopped before the event was sent."));

    /// <summary>Sets the remaining outcomes: events that were not sent have failed, the others are in doubt.</summary>
    /// <param name="createError">
    /// Creates the error of an outcome. Its argument is true if the event was sent.
    /// </param>
    private void Close(Func<bool, Exception> createError)
    {
        lock (gate)
        {
            for (var i = 0; i < states.Length; i++)
            {
                var wasSent = states[i] == State.Sent;
                var error = createError(wasSent);
                ConcludeLocked(i, wasSent ? PublishOutcome.InDoubt(error) : PublishOutcome.Failed(error));
            }
        }
    }

    private void ConcludeLocked(int index, PublishOutcome outcome)
    {
        if (states[index] == State.Concluded)
        {
            return;
        }

        states[index] = State.Concluded;
        outcomes.Span[index] = outcome;
        order.Record(batch.Span[index].Key, outcome);

        if (index == awaitedIndex)
        {
            awaited?.TrySetResult();
        }

        remaining--;
        if (remaining == 0)
        {
            done.TrySetResult();
        }
    }
}
