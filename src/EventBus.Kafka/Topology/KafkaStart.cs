using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Waits at the start of the transport until the cluster is ready. Without fail-fast, the bus also starts while the
/// cluster is unreachable, with a warning.
/// </summary>
internal sealed class KafkaStart(KafkaConnector connector, KafkaTopology names)
{
    /// <summary>Prepares the topics.</summary>
    /// <param name="prepare">Creates or checks the topics.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <exception cref="EventBusException">
    /// The cluster does not have what the bus needs, or refuses this application; or it is unreachable, with fail-fast.
    /// </exception>
    public async Task PrepareAsync(Func<CancellationToken, Task> prepare, CancellationToken cancellationToken)
    {
        try
        {
            await ThrowOnRefusalAsync(prepare(cancellationToken), cancellationToken);
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            // The client repeats calls until their timeout. Its last error says why.
            var error = connector.Admin.LastError ?? KafkaErrors.ErrorsOf(exception).FirstOrDefault();
            var isRefusal = error is not null && KafkaErrors.IsRefusal(error);
            var cause = error is null ? KafkaErrors.CauseOf(exception) : KafkaErrors.CauseOf(error);
            if (isRefusal || names.FailFast)
            {
                var state = isRefusal ? "refuses this application" : $"was not ready within {connector.Options.CallTimeout}";
                throw new EventBusException(
                    $"Kafka at {connector.Address} {state}: {cause} Check that it runs, the addresses, and the settings of security "
                        + $"(security.protocol, sasl.*, ssl.*) in {nameof(KafkaOptions)}.{nameof(KafkaOptions.ConfigureClient)}: a "
                        + "listener accepts one protocol only.",
                    exception);
            }

            connector.Log.StartedDegraded(connector.Address, cause?.TrimEnd('.') ?? "");
        }
    }

    /// <summary>Waits for a call, at most until the client reports an error that an operator must resolve.</summary>
    private async Task ThrowOnRefusalAsync(Task call, CancellationToken cancellationToken)
    {
        var refused = connector.Admin.Refused;
        await Task.WhenAny(call, refused).WaitAsync(cancellationToken);
        if (!call.IsCompleted)
        {
            _ = EventBus.Transports.BackendTasks.Observed(call);
            throw new KafkaException(await refused);
        }

        await call;
    }
}
