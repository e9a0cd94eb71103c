using System.Text.Json;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using EventBus.Transports;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the serialization of one event for a broker, and its deserialization with the envelope when it arrives from
/// one.
/// </summary>
/// <remarks>
/// Reading includes the checks of size, name, version and media type; duplicate properties are refused and the depth is
/// limited. The baseline is
/// <see cref="JsonSerializer"/> with the options for the web. Both use reflection, as in an application that does not
/// call <c>UseJson</c>.
/// </remarks>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
public class Serialization
{
    private readonly OrderPlaced order = Workload.Event(0);
    private readonly byte[] body = JsonSerializer.SerializeToUtf8Bytes(Workload.Event(0), JsonSerializerOptions.Web);
    private readonly EnvelopeAttributes attributes = new() { Id = Guid.CreateVersion7().ToString(), Name = "order.placed" };
    private readonly WireFormat format = new(typeof(OrderPlaced));

    [Benchmark(Baseline = true)]
    [BenchmarkCategory("write")]
    public byte[] WriteJson() => JsonSerializer.SerializeToUtf8Bytes(order, JsonSerializerOptions.Web);

    [Benchmark]
    [BenchmarkCategory("write")]
    public ReadOnlyMemory<byte> WriteEnvelope() => format.Write(order);

    [Benchmark(Baseline = true)]
    [BenchmarkCategory("read")]
    public object ReadJson() => JsonSerializer.Deserialize<OrderPlaced>(body, JsonSerializerOptions.Web)!;

    [Benchmark]
    [BenchmarkCategory("read")]
    public object ReadEnvelope() => format.Read(attributes, body);
}
