using System.Text.Json;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using EventBus.Transports;

namespace EventBus.Benchmarks;

/// <summary>The body of one event: written as it is when it leaves for a broker, and read as it is when it arrives from one, with the envelope that holds it.</summary>
/// <remarks>
/// Reading includes what is checked before: size, name, version and media type; its JSON allows no property twice and limits the depth. The baseline is
/// <see cref="JsonSerializer"/> with the options for the web and nothing else. Both know the type by reflection, as an application does that calls no <c>UseJson</c>.
/// </remarks>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
public class Serialization
{
    private readonly OrderPlaced order = Workload.Event(0);
    private readonly byte[] body = JsonSerializer.SerializeToUtf8Bytes(Workload.Event(0), JsonSerializerOptions.Web);
    private readonly EnvelopeAttributes attributes = new() { Id = Guid.CreateVersion7().ToString(), Name = "order.placed" };
    private readonly WireFormat wire = new(typeof(OrderPlaced));

    [Benchmark(Baseline = true)]
    [BenchmarkCategory("write")]
    public byte[] WriteJson() => JsonSerializer.SerializeToUtf8Bytes(order, JsonSerializerOptions.Web);

    [Benchmark]
    [BenchmarkCategory("write")]
    public ReadOnlyMemory<byte> WriteEnvelope() => wire.Write(order);

    [Benchmark(Baseline = true)]
    [BenchmarkCategory("read")]
    public object ReadJson() => JsonSerializer.Deserialize<OrderPlaced>(body, JsonSerializerOptions.Web)!;

    [Benchmark]
    [BenchmarkCategory("read")]
    public object ReadEnvelope() => wire.Read(attributes, body);
}
