using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Records whether a publisher or a receiver opens, or whether the broker refuses it first.</summary>
internal sealed class FirstOpening(RabbitMqOptions options)
{
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first success; fails if a refusal of the broker comes first.</summary>
    public Task Opened => opened.Task;

    public void Succeed() => opened.TrySetResult();

    /// <summary>
    /// Lets <see cref="Opened"/> fail if the error is a refusal and nothing has succeeded yet. Ignores other errors.
    /// </summary>
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
