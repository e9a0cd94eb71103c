using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed record HeightMeasured(int Height, DateTimeOffset? MeasuredAt);
