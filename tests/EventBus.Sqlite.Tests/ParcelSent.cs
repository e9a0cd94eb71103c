using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sqlite.Tests;

[EventName("parcel.sent")]
internal sealed record ParcelSent(int Number);
