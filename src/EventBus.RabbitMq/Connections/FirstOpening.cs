using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Reports the first success of a publisher or a receiver, or that the broker refuses it.</summary>
internal sealed class FirstOpening(RabbitMqOptions options)
{
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first success; fails if the broker refuses the publisher or receiver before.</summary>
    public Task Opened => opened.Task;

    public void Succeed() => opened.TrySetResult();

    /// <summary>Reports an error of the broker, if it is a refusal and the first result.</summary>
    /// <param name="entity">The refused exchange or queue, for instance <c>the queue 'a'</c>.</param>
    /// <param name="exception">The error.</param>
    public void ReportRefusal(string entity, OperationInterruptedException exception)
    {
        if (RabbitMqErrors.IsRefusal(exception, options) && !opened.Task.IsCompleted)
        {
            opened.TrySetException(RabbitMqErrors.Refused(entity, exception));

            // Observes the exception: after a degraded start, nothing awaits this task.
            _ = opened.Task.Exception;
        }
    }
}
