using System.Globalization;
using System.Text;
using EventBus.Transports;

namespace EventBus;

public enum ParcelSize
{
    Small,
    Large,
}
