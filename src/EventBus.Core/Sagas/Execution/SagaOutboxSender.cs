using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Sends the events that a saga has published.</summary>
internal sealed class SagaOutboxSender(SagaDefinition definition, BatchSender batches, SagaStateWriter writer, BusServices services)
{
    // The delay before events that could not be sent are sent again, as often as needed. It does not grow, because a
    // failed publish has already waited for its full timeout.
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(5);

    // Names the sending in the log.
    private readonly string activity = $"events of the saga {definition.Name}";
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>Sends the events in the outbox.</summary>
    /// <returns>False if they could not be sent: the saga was released for later, or needs attention.</returns>
    public async Task<bool> SendAsync(LeasedSaga leased)
    {
        if (leased.Progress.Outbox.Count == 0 || leased.IsDispatched)
        {
            return true;
        }

        var outbox = leased.Progress.Outbox;
        var errors =
            await batches.TrySendAsync([.. outbox.Select(item => StoreFormat.Read(item.Attributes, item.Body, item.Id, item.Name))]);
        var unsent = outbox
            .Zip(errors, (item, error) => (Event: item, Error: error))
            .Where(item => item.Error is not null)
            .ToList();
        var temporaryError = unsent.Find(item => !IsRejection(item.Error!)).Error;
        if (temporaryError is not null)
        {
            var dueAt = time.GetUtcNow() + RetryDelay;
            services.Log.Failing(
                activity,
                temporaryError,
                logger => logger.SagaEventsWait(definition.Name, leased.Id, dueAt, temporaryError));
            await writer.ReleaseUntilAsync(
                leased,
                progress =>
                {
                    progress.Outbox = unsent.ConvertAll(item => item.Event);
                    SagaStateWriter.ClearBegun(progress);
                },
                dueAt);
            return false;
        }

        services.Log.Working(activity);
        if (unsent.Count > 0 && !SagaTransitions.IsEnd(leased.Entry.Status))
        {
            // The transport rejects these events until the configuration or the application is changed.
            var error = unsent[0].Error!;
            await writer.HaltAsync(leased, ExceptionText.MessageOf(error), error, (progress, _) =>
            {
                progress.EventsRefused = true;
                progress.Outbox = unsent.ConvertAll(item => item.Event);
                SagaStateWriter.ClearBegun(progress);
            });
            return false;
        }

        // A saga that has ended cannot need attention, so its rejected events are dropped with a log entry.
        unsent.ForEach(item => services.Log.SagaEventDropped(definition.Name, leased.Id, item.Event.Name, item.Event.Id, item.Error!));
        leased.IsDispatched = true;
        return true;
    }

    private static bool IsRejection(PublishException error) => error.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber;
}
