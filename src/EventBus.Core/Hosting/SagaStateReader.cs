using System.Diagnostics.Metrics;
using EventBus.Stores;

namespace EventBus;

/// <summary>Reads the numbers of sagas that have not ended from the store.</summary>
internal sealed class SagaStateReader(SagaStore store, IReadOnlyCollection<string> sagas, BusServices services) : StateReader(services)
{
    private readonly StateDiagnostics metrics = services.Diagnostics.State;

    protected override string Name => "reading the numbers of sagas for the metrics";

    protected override bool IsObserved => metrics.SagasRunning.IsObserved || metrics.SagasNeedingAttention.IsObserved;

    public override void Clear()
    {
        metrics.SagasRunning.Set([]);
        metrics.SagasNeedingAttention.Set([]);
    }

    protected override async Task<bool> ReadValuesAsync(CancellationToken deadline)
    {
        var running = new List<Measurement<long>>();
        var needingAttention = new List<Measurement<long>>();
        foreach (var saga in sagas)
        {
            foreach (var status in (SagaStatus[])[SagaStatus.Running, SagaStatus.Compensating, SagaStatus.NeedsAttention])
            {
                var count = await store.CountAsync(new SagaFilter { Saga = saga, Status = status }, deadline);
                (status == SagaStatus.NeedsAttention ? needingAttention : running).Add(metrics.OfSaga(count, saga, status.ToString()));
            }
        }

        deadline.ThrowIfCancellationRequested();
        metrics.SagasRunning.Set(running);
        metrics.SagasNeedingAttention.Set(needingAttention);
        return true;
    }
}
