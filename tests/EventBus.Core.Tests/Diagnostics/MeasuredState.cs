using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>
/// Collects the metrics of the state of one bus: the meter is that of the services, so other tests are not measured.
/// </summary>
internal sealed class MeasuredState : IMeterFactory
{
    private readonly Meter meter = new(BusDiagnostics.Name);
    private readonly MeterListener listener = new();
    private readonly Dictionary<string, double> collected = new(StringComparer.Ordinal);

    public MeasuredState()
    {
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
    }

    /// <summary>Observes all instruments of the meter, also those that are created later.</summary>
    public void Observe()
    {
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (ReferenceEquals(instrument.Meter, meter) && instrument.IsObservable)
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        listener.Start();
    }

    /// <summary>
    /// Collects, and returns the values by the name of the metric and its subscription, saga or neither.
    /// </summary>
    public IReadOnlyDictionary<string, double> Collect()
    {
        collected.Clear();
        listener.RecordObservableInstruments();
        return new Dictionary<string, double>(collected, StringComparer.Ordinal);
    }

    public Meter Create(MeterOptions options) => meter;

    public void Dispose()
    {
        listener.Dispose();
        meter.Dispose();
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string[] names = ["messaging.consumer.group.name", "eventbus.saga", "eventbus.saga.status", "eventbus.bus"];
        var all = tags.ToArray().ToDictionary();
        var shown = names.Where(all.ContainsKey).Select(name => all[name]);
        collected.Add(string.Join(' ', shown.Prepend(instrument.Name["eventbus.".Length..])), value);
    }
}
